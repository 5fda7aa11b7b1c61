"""Which hosts are on the open internet, in every spelling of an address and by every name."""

import pytest

from geekai_video_mcp.domain.public_hosts import is_public, may_be_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - refused
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001::1",
        "2001:db8::1",
        "100::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
    ],
)
def test_an_address_inside_some_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"],
)
def test_an_address_on_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "127.0.0.0x1",
        "０x7f.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "١٢٧.٠.٠.١",
        "169.254.169.254",
        "8.8.8.8.8",
        "0x08080808",
        "010.8.8.8",
        "999.1.1.1",
        "1.0x",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fe80::1%eth0",
        "1:2",
    ],
)
def test_a_private_or_disguised_address_is_not_on_the_open_internet(host: str) -> None:
    assert not may_be_public(host)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ⓛocalhost",
        "a.localhost",
        "intranet",
        "printer.local",
        "printer.local.",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.tencentyun.com",
        "nas.home.arpa",
        "db.corp",
        "router.lan",
        "sandbox.invalid",
        "127.0.0.1.nip.io",
        "localtest.me",
        "a.onion",
        "",
        ".",
        "..",
        "a..com",
        "example.com..",
        "a b.com",
        "%6cocalhost.com",
        "exa\u200bmple.com",
        "x" * 64 + ".com",
    ],
)
def test_a_name_inside_some_network_is_not_on_the_open_internet(host: str) -> None:
    assert not may_be_public(host)


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "EXAMPLE.com.",
        "static.geekai.co",
        "my_bucket.s3.amazonaws.com",
        "例え.jp",
        "xn--r8jz45g.jp",
        "local.example.com",
        "notlocal.com",
        "nip.io.com",
        "1.example.com",
        "0xcafe.example",
        "8.8.8.8",
        "2606:4700::1111",
    ],
)
def test_a_public_name_or_plain_address_is(host: str) -> None:
    assert may_be_public(host)
