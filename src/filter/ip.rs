//! IP addresses and CIDR ranges as the `ip` field reads them: 128 bits, IPv4 as `::ffff:a.b.c.d`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, IPv4 mapped into IPv6.
pub(super) fn address(text: &str) -> Option<u128> {
    let address = match text.parse::<Ipv4Addr>() {
        Ok(v4) => v4.to_ipv6_mapped(),
        Err(_) => {
            // A zone (`fe80::1%eth0`) is cut off, as Java does.
            let bare = text.split_once('%').map_or(text, |(bare, _)| bare);
            bare.parse::<Ipv6Addr>().ok()?
        }
    };
    Some(u128::from(address))
}

/// First and last address of `address/bits`, or of a single address. The error says what is wrong.
pub(super) fn range(text: &str) -> Result<(u128, u128), String> {
    let Some((start, bits)) = text.split_once('/') else {
        return match address(text) {
            Some(address) => Ok((address, address)),
            None => Err(format!("{text:?} is not an IP address")),
        };
    };
    let base: IpAddr = start
        .parse()
        .map_err(|_| format!("{start:?} is not an IP address"))?;
    let width: u32 = match base {
        IpAddr::V4(_) => 32,
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            return Err(format!(
                "{text:?}: CIDR is not possible on an IPv4-mapped address"
            ));
        }
        IpAddr::V6(_) => 128,
    };
    // Java's `split` drops what is empty at the end.
    let bits: u32 = bits
        .trim_end_matches('/')
        .parse()
        .ok()
        .filter(|bits| *bits <= width && !text.ends_with('+'))
        .ok_or_else(|| format!("the prefix length of {text:?} is not between 0 and {width}"))?;
    let host = 128 - (128 - width + bits);
    let mask = if host == 128 {
        u128::MAX
    } else {
        (1_u128 << host) - 1
    };
    let first = address(start).unwrap_or_default() & !mask;
    Ok((first, first | mask))
}

/// An address as it is usually written.
pub(super) fn text(address: u128) -> String {
    let v6 = Ipv6Addr::from(address);
    v6.to_ipv4_mapped()
        .map_or_else(|| v6.to_string(), |v4| v4.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let (first, last) = range("10.1.2.3/8").unwrap();
        assert_eq!(
            (text(first), text(last)),
            ("10.0.0.0".into(), "10.255.255.255".into())
        );
        let (first, last) = range("2001:db8::/127").unwrap();
        assert_eq!(last - first, 1);
        assert_eq!(range("::/0").unwrap(), (0, u128::MAX));
        assert_eq!(range("10.1.2.3/8//"), range("10.1.2.3/8"));
        for bad in [
            "10.0.0.0/33",
            "10.0.0/8",
            "/8",
            "10.0.0.0//8",
            "10.0.0.0/",
            "010.0.0.1",
            "::ffff:0:0/96",
            "x",
        ] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }
}
