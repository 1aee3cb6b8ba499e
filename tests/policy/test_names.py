# Which names announce a secret, and which only look as if.
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.canary.places import PASSWORD_NAMES, TOKEN_NAMES
from tests.strategies import few

from audit_mw.policy.names import (
    CARD,
    PASSWORD,
    SECRET,
    TOKEN,
    Classifier,
    names_session,
    names_user,
    weak_class,
)

CLASSIFY = Classifier()

PASSWORDS = (
    *PASSWORD_NAMES,
    *"loginForm:password user-password userPassword2 db.password smtp_pwd admin_pass "
    "old-pin PINcode pin_code userPIN my.otp backupOtp card_cvc CVV2 passwd_repeat "
    "passwort_neu parooli_kordus pass[word] 2fa user_2fa login_2fa_code mothersMaidenName "
    "securityAnswer1 sms-code geslo noveHeslo katasandi".split(),
)
TOKENS = (
    *TOKEN_NAMES,
    *"connect.sid laravel_session ASP.NET_SessionId .AspNetCore.Cookies auth_tkt "
    "wordpress_logged_in_0a1b remember_me_token rememberMe Authorization x-authorization "
    "Proxy-Authorization Cookie Set-Cookie cookie2 bearer_token jwt x-goog-iap-jwt-assertion "
    "x-hub-signature-256 x-amz-credential awsAccessKeyId client-assertion otc jwe "
    "deploy_key_secret id_rsa ssh-key WebAuthnAssertion userauth g-csrf-token nonce "
    "wpnonce session sessions user_session xsession user.session.id PLAY_SESSION".split(),
)
ORDINARY = (
    "page description compass shipping author authored_by signed_in assign keyboard "
    "tokenize tokenizer passenger session_title session.speaker opinion pinned spinner "
    "authorized_by secretary_name max_tokens token_type token_count classes process_id "
    "possess_id passport passage design sign session_name auth_type side inside presidents "
    "announcement tokenized authority country_code zip_code promo_code keyword hotkey "
    "primary_key foreign_key sort_key pinterest pinboard mapping napping surname username "
    "passed passive expression stopwords top_words has_location has_logo has_login "
    "is_enhanced is_free the_slot cache_slot image_slot spa_role run_once discard_note "
    "wildcard_node hassle password_required token_expired otp_enabled csrf_exempt user "
    "nationality designation assigned signal significance signup recognition alpine "
    "responsibility residue consider cooking hashtag season lesson possession compassion "
    "bypass bypass_cache trespass secretariat typing topic happiness shippingAddress "
    "has_password isSecret password_changed_at token_expires_at passwordLength tokenStatus "
    "token_ttl authenticated isAuthenticated authorization_status credit_card_type "
    "cookie_banner input_tokens tokens_used pin_count public_key "
    "id name q sort order limit offset lang theme state status code key email phone iban"
).split()


@pytest.mark.parametrize(
    ("names", "cls"),
    [
        pytest.param(PASSWORDS, PASSWORD, id="passwords"),
        pytest.param(TOKENS, TOKEN, id="tokens"),
        pytest.param(
            ["card_number", "cardNumber", "ccnum", "credit-card", "card_no"],
            CARD,
            id="cards",
        ),
        pytest.param(ORDINARY, None, id="ordinary"),
    ],
)
def test_class(names: list[str], cls: str | None) -> None:
    """A name gives the class of its value, in all the ways in which names are spelt."""
    wrong = {name: CLASSIFY(name.encode()) for name in names}

    assert {name: found for name, found in wrong.items() if found != cls} == {}


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        pytest.param(b"", None, id="empty"),
        pytest.param(b"\xff\xfe", None, id="no text"),
        pytest.param("contraseña".encode("latin-1"), PASSWORD, id="Latin-1"),
        pytest.param("пароль".encode("cp1251"), PASSWORD, id="Windows-1251"),
        pytest.param("密码".encode("gb18030"), PASSWORD, id="GB 18030"),
        pytest.param("password".encode("utf-16"), PASSWORD, id="UTF-16"),
        pytest.param("lo\u0308senord".encode(), PASSWORD, id="combining accent"),
        pytest.param("pass\u200bword".encode(), PASSWORD, id="invisible space"),
        pytest.param("ｐａｓｓｗｏｒｄ".encode(), PASSWORD, id="full width"),
        pytest.param("раѕѕwоrd".encode(), PASSWORD, id="Cyrillic letters in Latin"),
        pytest.param("пapoль".encode(), PASSWORD, id="Latin letters in Cyrillic"),
        pytest.param(b"x" * 9000 + b"_password", PASSWORD, id="end of a long name"),
        pytest.param(b"password_" + b"x" * 9000, PASSWORD, id="start of a long name"),
        pytest.param(
            b"x" * 9000 + b"[pass-word]" + b"x" * 9000,
            PASSWORD,
            id="middle of a long name",
        ),
        pytest.param(b"x" * 9000, None, id="a long name"),
        pytest.param(
            "я".encode() * 9001 + b"_pin", PASSWORD, id="cut within a character"
        ),
    ],
)
def test_spellings(name: bytes, cls: str | None) -> None:
    """A name is read in whatever coding it comes, and however long it is."""
    assert cls == CLASSIFY(name)


@pytest.mark.parametrize("name", ["kood", "Kood", "minu_kood", "minuKood2", "KOOD"])
def test_further_names(name: str) -> None:
    """A name of the option secret_names counts anywhere, as class secret."""
    assert Classifier(more=["kood"])(name.encode()) == SECRET
    assert CLASSIFY(name.encode()) is None


def test_exempt_names() -> None:
    """A name of the option not_secret must be equal, once normalised."""
    classify = Classifier(exempt=["token-id"])

    assert classify(b"tokenId") is None
    assert classify(b"token_id_2") == TOKEN


def test_own_names_come_first() -> None:
    """A name of the option counts even where its last word tells a state."""
    classify = Classifier(more=["personal status"])

    assert classify(b"personal_status") == SECRET


def test_memory_is_bounded() -> None:
    """Names that never come again do not fill the memory."""
    classify = Classifier()
    for number in range(5000):
        classify(b"n%d" % number)
    classify(b"x" * 5000)

    assert len(classify._remembered) <= 4096
    assert b"x" * 5000 not in classify._remembered


NAMES = st.text(min_size=1, max_size=8) | st.sampled_from(["a", "user", "form", "x9"])


@few
@given(NAMES, st.sampled_from(["password", "salasana", "api_key", "sessionid"]), NAMES)
def test_a_stem_counts_anywhere(before: str, stem: str, after: str) -> None:
    """Whatever stands around a secret name, but in a question or a state, it is one."""
    name = f"x {before}.{stem}.{after} x".encode()

    assert CLASSIFY(name) is not None


@few
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_never_raises(name: bytes) -> None:
    """Any bytes are a name, and asking again gives the same answer."""
    found = CLASSIFY(name)

    assert found in (None, PASSWORD, TOKEN, CARD)
    assert found == CLASSIFY(name)
    assert names_session(name) in (True, False)
    assert names_user(name) in (True, False)


@few
@given(st.sampled_from(["password", "sessionid", "apikey", "salasana"]), st.data())
def test_case_and_separators(stem: str, data: st.DataObject) -> None:
    """Case and separators, wherever they are put, do not hide a stem."""
    letters = [
        (letter.upper() if data.draw(st.booleans()) else letter)
        + data.draw(st.sampled_from(["", "", "-", "_", ".", " ", "[", "\0", "$"]))
        for letter in stem
    ]

    assert CLASSIFY("".join(letters).encode()) == CLASSIFY(stem.encode())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(b"sessionid", True, id="Django"),
        pytest.param(b"session", True, id="Flask"),
        pytest.param(b"JSESSIONID", True, id="Java"),
        pytest.param(b"connect.sid", True, id="Express"),
        pytest.param(b"csrftoken", False, id="no session"),
        pytest.param(b"theme", False, id="ordinary"),
    ],
)
def test_session_cookies(name: bytes, expected: bool) -> None:
    """The cookie with the session id is known by its name."""
    assert expected == names_session(name)


@pytest.mark.parametrize(
    ("name", "value", "cls"),
    [
        pytest.param(b"code", b"123456", SECRET, id="one-time code"),
        pytest.param(b"code", b"SplxlOBeZQQYbYS6WxSbIA", SECRET, id="OAuth's code"),
        pytest.param(b"Code", b"4/0AX4XfWh", SECRET, id="with a slash"),
        pytest.param(b"code", b"EE", None, id="a country"),
        pytest.param(b"code", b"EUR", None, id="a currency"),
        pytest.param(b"code", b"in review", None, id="words"),
        pytest.param(b"key", b"0123456789abcdef0123456789abcdef", TOKEN, id="a key"),
        pytest.param(b"key", b"colour", None, id="a key of a mapping"),
        pytest.param(b"ticket", b"ST-1856339-aA5Yuvrxzpv8Tau1cYQ7", TOKEN, id="CAS"),
        pytest.param(b"ticket", b"4711", None, id="a number of a helpdesk"),
        pytest.param(b"q", b"SplxlOBeZQQYbYS6WxSbIA", None, id="another name"),
        pytest.param(
            b"tls_key", b"0123456789abcdef0123456789abcdef", TOKEN, id="some key"
        ),
        pytest.param(
            b"PrivKey",
            b"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
            TOKEN,
            id="base64",
        ),
        pytest.param(
            b"site_key", b"0123456789abcdef0123456789abcdef", None, id="one to be known"
        ),
        pytest.param(
            b"user_key", b"550e8400-e29b-41d4-a716-446655440000", None, id="a UUID"
        ),
        pytest.param(
            b"object_key", b"2026/11/report-2026-11-21.pdf", None, id="a path"
        ),
        pytest.param(b"turkey", b"roasted slowly", None, id="no key"),
        pytest.param(b"sign", b"0123456789abcdef0123456789abcdef", TOKEN, id="signed"),
        pytest.param(
            b"design", b"0123456789abcdef0123456789abcdef", None, id="a design"
        ),
        pytest.param(b"user_code", b"WDJB-MJHT", SECRET, id="a device's code"),
        pytest.param(b"user_code", b"alice", None, id="a user's code"),
        pytest.param(
            b"seed", b" ".join([b"legal"] * 12), SECRET, id="words of a wallet"
        ),
        pytest.param(b"seed", b"wheat and barley", None, id="words of a farm"),
    ],
)
def test_weak_names(name: bytes, value: bytes, cls: str | None) -> None:
    """Some names are too common, so the value must look like a secret, too."""
    assert cls == weak_class(name, value)


@pytest.mark.parametrize("name", ["username", "login[user]", "userEmail", "j_username"])
def test_names_of_users(name: str) -> None:
    """The last word tells that a value is the name of a user."""
    assert names_user(name.encode())
    assert not names_user(b"user_count")


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads that take turns at each chance."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_threads() -> None:
    """One memory serves all threads: what one forgets, another may be reading."""
    classify = Classifier()

    def remember_and_forget(thread: int) -> None:
        for number in range(10_000):
            mark = classify.mark()
            classify(b"n%d-%d" % (thread, number))
            if number % 3 == 0:
                classify.forget_since(mark)

    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(remember_and_forget, range(4))] == [None] * 4
