"""Operations on repositories and their content, shared by all interfaces."""
