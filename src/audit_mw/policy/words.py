# The words that announce a secret, and the ordinary ones that only look like them.
#
# A stem counts anywhere in the joined words of a name (`userPassword2`, `x-api-key`).
# A word is too short for that and counts only whole (`pin`, not `shipping`). An ending
# counts at the end of a word (`userpin`), which keeps `has_location` free of the Polish
# `haslo`. Ordinary words are taken out before.
#
# False positives are cheap (a length in place of a value), false negatives are
# incidents; so the tables are wide, and hold the languages of Europe and then some.
__all__ = [
    "CARD_STEMS",
    "DESCRIBING",
    "LOGINS",
    "ORDINARY",
    "ORDINARY_NAMES",
    "PASSWORD_ENDINGS",
    "PASSWORD_STEMS",
    "PASSWORD_WORDS",
    "QUESTIONS",
    "SESSION_STEMS",
    "SESSION_WORDS",
    "STATES",
    "TOKEN_ENDINGS",
    "TOKEN_STEMS",
    "TOKEN_WORDS",
    "USER_WORDS",
]

# Low in entropy, so that even a keyed digest would be too much: length only.
PASSWORD_STEMS = (
    "passw p4ss pa55 pssw passphras passcode pasw passowrd pasaword pswd pwd pwrd "
    "pwhash passhash passnew passold passagain passrepeat passconf passverif passfras "
    "pincode securityanswer secretanswer securitycode accesscode logincode entrycode "
    "onetimecode onetimepin verificationcode confirmationcode activationcode "
    "verifycode verifcode validationcode confirmcode dynamiccode emergencycode "
    "scratchcode codesms "
    "unlockcode resetcode smscode emailcode mfacode 2facode twofactor 2factor twofa "
    "oobcode cardverif maidenname mothersmaiden memorable securityword challengeanswer "
    "challengeresponse kbaanswer "
    # Germanic and Baltic and Finnic
    "kennwort losungswort geheimwort geheimzahl wachtwoord adgangskode kodeord passord "
    "losenord lykilord lykilorð loyniorð parool salasona salasana tunnussana slaptazod "
    # Romance
    "contrasen contrasinal motdepasse motpasse palavrapasse "
    # Slavic, Hungarian, Romanian, Turkish, Greek, Basque, Welsh
    "hasło lozinka parola парол лозинка пинкод jelszo şifre "
    "zaporka гасло κωδικ συνθηματ pasahitz cyfrinair pasfhocal "
    # Elsewhere
    "fjalekalim პაროლ գաղտնաբառ گذرواژه "
    "katasandi matkhau bimilbeonho סיסמ كلمةالمرور كلمةالسر رمزعبور पासवर्ड รหัสผ่าน "
    "密码 密碼 口令 暗証番号 パスワード 비밀번호 암호"
).split()
PASSWORD_WORDS = set(
    "pass passe pw psw pword psk pin pins puk otp totp hotp tan mdp cvv cvc csc cvn "
    "mfa tfa clave claves mima".split()
)
PASSWORD_ENDINGS = tuple(
    "pass pin pw psw otp cvv cvc haslo heslo geslo senha senhas parole".split()
)

# Made by machines, so that a keyed digest joins their uses and tells nothing else.
TOKEN_STEMS = (
    "token secret apikey accesskey privatekey privkey secretkey seckey signingkey "
    "sharedkey sshkey rsakey idrsa ided25519 idecdsa encryptionkey decryptionkey "
    "cryptkey cipherkey aeskey hmackey masterkey servicekey accountkey storagekey "
    "subscriptionkey functionskey licensekey webhookkey authkey appkey passkey "
    "sessionid sessionkey sessid sesskey jsession phpsess aspsession "
    "aspxauth aspnetcore "
    "credential authorization authorisation authenticat authenticity authcode authdata "
    "authtok authhash csrf xsrf antiforgery bearer jwt saml assertion connectsid "
    "signature signedrequest rememberme rememberweb recoverycode backupcode "
    "codeverifier devicecode wordpresslogged wordpresssec mnemonic seedphrase "
    "recoveryphrase invitecode invitationcode joincode resethash keystore pkcs12 "
    "cryptogram clientsecert geheim segret segredo секрет токен 密钥 密鑰 令牌 토큰"
).split()
TOKEN_WORDS = set(
    "sid sess session sessions auth oauth sig hmac cookie cookies jwe otc "
    "tok tkn tokn creds cred sesame".split()
)
TOKEN_ENDINGS = ("sid", "sess", "session", "auth", "hmac", "nonce")

CARD_STEMS = "cardnumber cardnum ccnumber ccnum creditcard debitcard".split()

# Words that a table above would find something in.
ORDINARY = set(
    "author authors authored authority authorities authorship coauthor secretary "
    "secretaries secretariat tokenize tokenized tokenizer tokenizers tokenization "
    "tokenise tokenised compass bypass trespass surpass overpass underpass encompass "
    "spin topspin backspin tailspin hairpin chopin crispin assess reassess possess "
    "obsess possession possessions obsession aside authenticated".split()
)

# Whole names of which a part would announce a secret: counts, kinds, and the like.
ORDINARY_NAMES = set(
    "tokentype tokentypehint tokencount maxtokens maxnewtokens maxoutputtokens "
    "maxcompletiontokens maxprompttokens prompttokens completiontokens totaltokens "
    "numtokens passcount passrate inputtokens outputtokens cachedtokens "
    "reasoningtokens tokensused maxtoken".split()
)

# A last word that makes a mere word of TOKEN_WORDS a description: session_title.
DESCRIBING = set(
    "title type topic speaker speakers room track date day time duration timeout "
    "lifetime language level status format method provider mode policy count theme "
    "description subject name consent banner user username".split()
)

# A last word that makes any name a mere yes or no, a time, or a number:
# password_required, password_changed_at, tokenLength.
STATES = set(
    "enabled disabled required exempt accepted expired allowed supported at expires "
    "expiry expiration ttl lifetime length count attempts age date status type "
    "algorithm policy".split()
)

# A first word that does: hasPassword.
QUESTIONS = set("is has".split())

SESSION_STEMS = ("sessionid", "sessid", "jsession", "phpsess", "aspsession")
SESSION_WORDS = {"sid", "sess", "session"}

# Methods that take a password, by place and without a name.
# ("kw" of execute_kw: Odoo has the password in each call.)
LOGINS = set("login logon signin signon signup register authenticate unlock kw".split())

# The last word of a name that holds a user's name, where some type user:password.
USER_WORDS = set(
    "user username userid uid login loginid loginname name email mail "
    "account usr uname "
    "identifier principal kasutaja benutzer benutzername utilisateur usuario utente "
    "gebruiker anvandare kayttaja".split()
)
