# The option `min_free`: three thresholds, as a text, a list, or themselves.
import pytest

from audit_mw.option_readers import Threshold, read_min_free


def shown(value: object) -> list[str]:
    """Return the thresholds as they are written."""
    return [str(each) for each in read_min_free(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("10%,5%,1%", ["10%", "5%", "1%"], id="default"),
        pytest.param(" 10 % , 5%,1% ", ["10%", "5%", "1%"], id="spaces"),
        pytest.param("2.50%,0.5%,0%", ["2.5%", "0.5%", "0%"], id="fractions"),
        pytest.param("100%,100%,100%", ["100%"] * 3, id="all the same"),
        pytest.param("0,0,0", ["0", "0", "0"], id="never"),
        pytest.param(
            "1GiB,500MiB,1KiB", ["1073741824", "524288000", "1024"], id="sizes"
        ),
        pytest.param("10%,500MiB,1%", ["10%", "524288000", "1%"], id="mixed"),
        pytest.param("1MiB,90%,1MiB", ["1048576", "90%", "1048576"], id="no order"),
        pytest.param(["10%", 4096, "1%"], ["10%", "4096", "1%"], id="list"),
        pytest.param(("3", 2, 1), ["3", "2", "1"], id="tuple"),
    ],
)
def test_read(value: object, expected: list[str]) -> None:
    """Parts and sizes are read, and written again as an option has them."""
    assert expected == shown(value)


def test_read_again() -> None:
    """What was read is taken as it is, and so is what is written of it."""
    read = read_min_free("2.5%,1KiB,0%")

    assert read == read_min_free(read)
    assert read == read_min_free(",".join(map(str, read)))
    assert read == (
        Threshold(percent=2.5),
        Threshold(size=1024),
        Threshold(percent=0.0),
    )


@pytest.mark.parametrize(
    ("value", "right"),
    [
        pytest.param("", "give three, such as 10%,5%,1%", id="empty"),
        pytest.param("10%", "give three", id="one"),
        pytest.param("10%,5%,1%,0%", "give three", id="four"),
        pytest.param("10%,5%,", "such as 64KiB", id="an empty one"),
        pytest.param(None, "give three", id="none"),
        pytest.param(7, "give three", id="number"),
        pytest.param({"10%", "5%", "1%"}, "give three", id="set"),
        pytest.param(b"10%,5%,1%", "give three", id="bytes"),
        pytest.param("101%,5%,1%", "give 0% to 100%", id="more than all"),
        pytest.param("-1%,0,0", "such as 64KiB", id="negative"),
        pytest.param("10%,5%,1%%", "such as 64KiB", id="twice"),
        pytest.param("ten%,5%,1%", "such as 64KiB", id="word"),
        pytest.param("1MB,0,0", "such as 64KiB", id="unknown unit"),
        pytest.param([0.1, 0, 0], "such as 64KiB", id="float"),
        pytest.param([True, 0, 0], "such as 64KiB", id="bool"),
        pytest.param("999999999999GiB,0,0", "give 0 to", id="beyond all disks"),
        pytest.param("1%,5%,10%", "the largest first", id="rising"),
        pytest.param("5%,10%,1%", "the largest first", id="rising at first"),
        pytest.param("5%,1MiB,10%", "the largest first", id="rising over another"),
        pytest.param("1MiB,10%,2MiB", "the largest first", id="sizes rise"),
    ],
)
def test_wrong(value: object, right: str) -> None:
    """What is wrong is said with what would be right."""
    with pytest.raises(ValueError, match=right):
        read_min_free(value)
