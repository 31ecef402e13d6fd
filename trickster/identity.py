"""
Request fields that an answer may depend on, though no C{Vary} says so.

The lists are the defaults of a backend's C{identity_headers} and C{override_headers}; both can
be changed there.  Names are in lower case.
"""

from __future__ import annotations

# Credentials count always: what they allow is for RFC 9111 section 3.5 to say.
AUTHORIZATION = b"authorization"
COOKIE = b"cookie"

# Who asks: tenants, users and their credentials, as databases and the proxies in front of them
# know them.
_TENANTS = (
    "x-scope-orgid", "thanos-tenant", "x-tenant", "x-tenant-id", "x-org-id", "x-organization-id",
    "x-grafana-org-id", "x-prom-label-policy", "x-circonus-account", "x-clickhouse-database",
    "x-clickhouse-format", "x-clickhouse-quota", "x-snowth-advisory-limit", "x-honeycomb-team",
)
_USERS = (
    "x-grafana-user", "x-grafana-id", "x-webauth-user", "x-webauth-name", "x-webauth-email",
    "x-webauth-groups", "x-webauth-role", "x-forwarded-user", "x-forwarded-email",
    "x-forwarded-groups", "x-forwarded-preferred-username", "remote-user", "remote-name",
    "remote-email", "remote-groups", "x-remote-user", "x-remote-group", "x-remote-groups",
    "x-auth-request-user", "x-auth-request-email", "x-auth-request-groups",
    "x-auth-request-preferred-username", "x-auth-user", "x-authenticated-user",
    "x-authenticated-userid", "x-authenticated-groups", "x-user", "x-user-id", "x-user-email",
    "x-username", "x-userinfo", "x-consumer-id", "x-consumer-username", "x-consumer-custom-id",
    "x-credential-identifier", "x-clickhouse-user", "x-goog-authenticated-user-email",
    "x-goog-authenticated-user-id", "cf-access-authenticated-user-email", "x-ms-client-principal",
    "x-ms-client-principal-id", "x-ms-client-principal-name", "x-amzn-oidc-identity",
    "tailscale-user-login", "impersonate-user", "impersonate-group",
)
_CREDENTIALS = (
    "x-api-key", "api-key", "apikey", "x-apikey", "x-api-token", "x-auth-token", "x-access-token",
    "x-auth-key", "x-token", "private-token", "x-clickhouse-key",
    "x-clickhouse-ssl-certificate-auth", "x-circonus-auth-token", "x-circonus-app-name",
    "x-amz-security-token", "x-amzn-oidc-accesstoken", "x-amzn-oidc-data", "x-vault-token",
    "x-vault-namespace", "dd-api-key", "dd-application-key", "x-forwarded-access-token",
    "x-auth-request-access-token", "x-id-token", "x-jwt-assertion", "x-goog-iap-jwt-assertion",
    "cf-access-jwt-assertion", "x-pomerium-jwt-assertion", "x-forwarded-client-cert",
    "x-client-cert", "x-ssl-client-cert", "ssl-client-cert", "x-ssl-client-dn",
    "x-ssl-client-s-dn", "x-ssl-client-verify", "x-forwarded-authorization",
)
# What earlier hops say of the request, beside the fields in L{trickster.http.fields}: a
# deployment has few values of each, and an origin may write them into redirects and links.
_EARLIER_HOPS = (
    "x-forwarded-protocol", "x-forwarded-server", "x-forwarded-scheme", "x-forwarded-ssl",
    "x-forwarded-prefix", "x-forwarded-path", "x-forwarded-uri", "x-scheme", "x-url-scheme",
    "x-proto",
    "front-end-https", "x-script-name", "x-real-host", "cloudfront-forwarded-proto",
)

IDENTITY_HEADERS = ("authorization", "cookie", *_TENANTS, *_USERS, *_CREDENTIALS, *_EARLIER_HOPS)

# What asks for something else than the request line and Host say.  A name that ends with an
# asterisk is for all that begin so, and are neither among those above nor forwarding fields.
OVERRIDE_HEADERS = (
    "x-original-url", "x-original-uri", "x-rewrite-url", "x-override-url", "x-request-uri",
    "request-uri", "x-envoy-original-path", "x-http-destinationurl", "x-proxy-url", "base-url",
    "x-base-url", "http-url", "x-host", "x-original-host", "x-http-host-override",
    "x-forwarded-original-host", "x-backend-host", "x-http-method-override", "x-http-method",
    "x-method-override", "x-method", "x-original-method", "x-forwarded-method", "request-range",
    "x-wap-profile", "profile", "proxy", "translate", "x-middleware-subrequest",
    "x-middleware-prefetch", "x-invoke-path", "x-invoke-status", "destination",
    "x-amz-website-redirect-location", "x-forwarded",
    # Of those that are in no list, each proxy has its own, and what it means.
    "x-forwarded-*",
)

# Where the client is: each behind a balancer has its own, so that nothing would be shared if
# these counted.  Origins whose answers depend on them have to say so in Vary.
ADDRESS_HEADERS = (
    "x-forwarded-for", "x-real-ip", "true-client-ip", "cf-connecting-ip", "cf-connecting-ipv6",
    "x-client-ip", "client-ip", "x-cluster-client-ip", "fastly-client-ip", "x-originating-ip",
    "x-remote-ip", "x-remote-addr", "x-original-forwarded-for", "x-envoy-external-address",
    "x-azure-clientip", "x-azure-socketip",
)
