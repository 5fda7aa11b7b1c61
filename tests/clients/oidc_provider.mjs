// An authorisation server: node-oidc-provider, which is certified for OpenID Connect, with
// registration, resource indicators and introspection. Its own pages let anybody log in.
import * as oidc from "oidc-provider";

const { port, resource, format, client } = JSON.parse(process.argv[2]);
const Provider = oidc.default ?? oidc.Provider;
const provider = new Provider(`http://127.0.0.1:${port}`, {
  features: {
    registration: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, indicator) => {
        if (indicator !== resource) throw new oidc.errors.InvalidTarget();
        return { scope: "video", audience: indicator, accessTokenFormat: format };
      },
    },
  },
  clients: [
    {
      client_id: client[0],
      client_secret: client[1],
      redirect_uris: [],
      grant_types: [],
      response_types: [],
    },
  ],
  scopes: ["openid", "offline_access", "video"],
});
provider.listen(port, "127.0.0.1", () => console.log("listening"));
