// Security keys (W3C Web Authentication): asks the browser's authenticator what the page's form holds, and sends what
// it says with the form. Everything that is checked is checked by the server.
(() => {
  "use strict";

  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const described = (list) => (list || []).map((known) => ({ ...known, id: bytes(known.id) }));

  /** What went wrong, as a person can act on it (the names are those of the specification, sections 5.1.3 and 5.1.4). */
  function reason(error) {
    switch (error.name) {
      case "NotAllowedError":
        return "No key answered, or it took too long. Put the key in, try again, and touch it when it blinks.";
      case "InvalidStateError":
        return "This key is registered for your account already.";
      case "NotSupportedError":
        return "This key knows none of the algorithms that are needed here (ES256, EdDSA, RS256).";
      case "SecurityError":
        return "The browser refuses security keys at this address. Open the page by the server's own name.";
      default:
        return `The key could not be used (${error.name}).`;
    }
  }

  async function ask(form, options) {
    const field = (name, value) => (form.elements[name].value = text(value));
    options.challenge = bytes(options.challenge);
    if (form.dataset.securityKey === "create") {
      options.user.id = bytes(options.user.id);
      options.excludeCredentials = described(options.excludeCredentials);
      const { response } = await navigator.credentials.create({ publicKey: options });
      field("client_data", response.clientDataJSON);
      field("attestation_object", response.attestationObject);
    } else {
      options.allowCredentials = described(options.allowCredentials);
      const { rawId, response } = await navigator.credentials.get({ publicKey: options });
      field("credential", rawId);
      field("client_data", response.clientDataJSON);
      field("authenticator_data", response.authenticatorData);
      field("signature", response.signature);
    }
  }

  for (const form of document.querySelectorAll("form[data-security-key]")) {
    const button = form.querySelector("button");
    const problem = form.querySelector("[data-problem]");
    const tell = (sentence) => {
      problem.lastElementChild.textContent = sentence;
      problem.hidden = !sentence;
    };
    if (location.origin !== form.dataset.origin) {
      tell(`Security keys work only at ${form.dataset.origin}: open this page there.`);
      button.disabled = true;
      continue;
    }
    if (!window.PublicKeyCredential) {
      tell("This browser knows no security keys.");
      button.disabled = true;
      continue;
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      tell("");
      button.disabled = true;
      try {
        await ask(form, JSON.parse(form.dataset.options));
        form.submit();
      } catch (error) {
        tell(reason(error));
        button.disabled = false;
      }
    });
  }
})();
