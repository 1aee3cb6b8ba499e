# The words of routes: what stays in a path behind a segment that announces a secret.
__all__ = ["AT_TIMES", "LINKED", "ROUTE_WORDS", "SELDOM"]

# These announce a secret only at times: a link that was mailed, or /sessions/42.
AT_TIMES = set(
    b"reset activate activation verify verification confirm confirmation invite "
    b"invitation invitations join accept magic unsubscribe unlock recover recovery "
    b"login signin validate hook hooks webhook webhooks share shared "
    b"auth oauth session sessions cookie cookies authentication authenticate "
    b"authorization credential credentials signature signatures incoming".split()
)
# Of these, what is mailed: then the secret may be in the query, too.
LINKED = set(
    b"reset activate activation verify verification confirm confirmation invite "
    b"invitation invitations join accept magic unsubscribe unlock recover recovery "
    b"validate".split()
)
# And these still less often: only what is long and random is one.
SELDOM = set(b"key keys link links register registration signup feed ical".split())
ROUTE_WORDS = set(
    b"forgot forgotten change changed set new edit update complete done create delete "
    b"remove revoke refresh renew rotate list all me self current show view get info "
    b"status settings options help start begin finish send sent resend request "
    b"requested validate check test logout register signup sign log in out up off from "
    b"by with for the and of to callback redirect authorize authorise consent "
    b"introspect introspection exchange obtain issue grant grants device key keys user "
    b"users account accounts profile admin api rest app web mobile email "
    b"mail phone sms "
    b"policy policies strength rule rules hint hints history count expired success "
    b"failed failure error ok index default public private static assets form forms "
    b"page pages docs google github gitlab facebook apple twitter linkedin microsoft "
    b"azure okta keycloak oidc saml sso mfa otp totp ldap jwt realms realm protocol "
    b"openid connect certs json html xml id ids link links is not required invalid "
    b"manager manage models views urls backends middleware decorators utils validators "
    b"hashers tokens handlers catch".split()
)
