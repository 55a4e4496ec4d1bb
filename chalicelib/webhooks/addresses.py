"""Which IP addresses a webhook may go to: those of the public internet, and no others.

Python's `is_global` is not asked: in 3.11 it takes several of these for public, and what it says changes between
versions. The tables are IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890 and what came after); of IPv6
only what is assigned as global unicast passes, so everything unassigned is refused too.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carrier-grade NAT
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # a cloud provider's own services
            "169.254.0.0/16",  # link-local, and every cloud's metadata
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
_LOOPBACK_V4, _LOOPBACK_V6 = IPv4Network("127.0.0.0/8"), IPv6Address("::1")
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: reaches any IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet.

    Addresses that only wrap an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo, ISATAP's) are refused whatever they
    wrap: no server needs to be reached that way.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address not in _GLOBAL_V6 or any(address in network for network in _REFUSED_V6):
        return False
    # ISATAP may stand in any prefix: an interface id of 0000:5efe or 0200:5efe, then the IPv4 address.
    return (int(address) >> 32) & 0xFDFF_FFFF != 0x0000_5EFE


def is_loopback(address: Address) -> bool:
    """Tell whether an address is this machine's own, which only the local stack may allow."""
    return address in _LOOPBACK_V4 if isinstance(address, IPv4Address) else address == _LOOPBACK_V6


def parse(text: str) -> Address | None:
    """Read an address in its usual form; None for anything else, other spellings of an address included."""
    try:
        return ip_address(text)
    except ValueError:
        return None
