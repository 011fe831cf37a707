// Renders the OpenAPI document with Swagger UI.

const place = document.getElementById("reference");

// The page may be dark by the browser's choice or by that of the application. The text
// of a dark page is light.
function follow() {
  const [red, green, blue] = getComputedStyle(place).color.match(/[\d.]+/g).map(Number);
  document.documentElement.classList.toggle("dark-mode", red + green + blue > 384);
}

follow();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", follow);

// Parts of Swagger UI that screen readers cannot use, and the choice of a server, of
// which there is only one.
function accessible() {
  return {
    wrapComponents: {
      ServersContainer: () => () => null,
      DeepLink: (_, { React }) => ({ text }) => React.createElement("span", null, text),
      Select: (Select, { React }) => (props) =>
        React.createElement("label", null,
          React.createElement("span", { className: "oci-hidden" }, "Value"),
          React.createElement(Select, props)),
    },
  };
}

window.SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  presets: [window.SwaggerUIBundle.presets.apis],
  plugins: [accessible],
  layout: "BaseLayout",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // The page sends the document to no other server.
  validatorUrl: null,
});
