"""Operations on repositories and their content that all interfaces share."""
