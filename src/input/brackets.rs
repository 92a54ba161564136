//! Where an object or array ends, found 64 bytes at a time: most of a body is the inside of strings, and only brackets outside of them count.

use wide::u8x16;

/// Bytes that are looked at together: a bit each in a word.
const BLOCK: usize = 64;

/// What follows the object or array with which the text begins; nothing if it does not end. Brackets of both kinds count alike. A quote after a
/// backslash is none, outside of strings either, where valid JSON has no backslash.
pub(super) fn after_brackets(text: &[u8]) -> &[u8] {
    let mut depth = 0_u32;
    let mut strings = Strings::default();
    let mut rest = text;
    loop {
        let (block, after) = match rest.split_first_chunk() {
            Some((block, after)) => (*block, after),
            None if rest.is_empty() => return rest,
            None => (padded(rest), &[][..]),
        };
        let plain = !strings.within(&block);
        // The brackets of a kind differ from each other in this bit alone.
        let (opening, closing) = (
            places(&block, 0x20, b'{') & plain,
            places(&block, 0x20, b'}') & plain,
        );
        if closing.count_ones() < depth {
            depth = depth + opening.count_ones() - closing.count_ones();
        } else {
            let mut brackets = opening | closing;
            while brackets != 0 {
                let at = brackets.trailing_zeros();
                depth = if opening >> at & 1 == 1 {
                    depth + 1
                } else {
                    depth.saturating_sub(1)
                };
                if depth == 0 {
                    return rest.get(at as usize + 1..).unwrap_or_default();
                }
                brackets &= brackets - 1;
            }
        }
        rest = after;
    }
}

/// The last bytes of a text, up to a whole block.
fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    for (to, from) in block.iter_mut().zip(rest) {
        *to = *from;
    }
    block
}

/// Where strings are, from block to block.
#[derive(Debug, Default)]
struct Strings {
    /// All bits set: the next block begins in a string.
    open: u64,
    /// One: the next block's first byte has a backslash before it.
    escaped: u64,
}

impl Strings {
    /// The places of a block that are in a string, its opening quote included.
    fn within(&mut self, block: &[u8; BLOCK]) -> u64 {
        let mut quotes = places(block, 0, b'"');
        let mut backslashes = places(block, 0, b'\\');
        if backslashes | self.escaped != 0 {
            let mut escaped = self.escaped;
            backslashes &= !escaped;
            self.escaped = 0;
            while backslashes != 0 {
                let after = (backslashes & backslashes.wrapping_neg()) << 1;
                escaped |= after;
                self.escaped = u64::from(after == 0);
                backslashes &= (backslashes - 1) & !after;
            }
            quotes &= !escaped;
        }
        // Each bit becomes whether the quotes up to it are odd in number.
        let mut within = quotes;
        for by in [1, 2, 4, 8, 16, 32] {
            within ^= within << by;
        }
        within ^= self.open;
        self.open = 0_u64.wrapping_sub(within >> (BLOCK - 1));
        within
    }
}

/// The places of a block at which a byte stands that is `wanted` once the bits of `set` are set in it.
fn places(block: &[u8; BLOCK], set: u8, wanted: u8) -> u64 {
    let (parts, _) = block.as_chunks();
    parts.iter().rev().fold(0, |found, part| {
        let equal = (u8x16::new(*part) | u8x16::splat(set)).simd_eq(u8x16::splat(wanted));
        found << 16 | u64::from(equal.to_bitmask())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain way.
    fn expected(text: &[u8]) -> &[u8] {
        let (mut depth, mut in_string, mut escaped) = (0, false, false);
        for (at, byte) in text.iter().enumerate() {
            match byte {
                b'"' if !escaped => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => depth -= 1,
                _ => {}
            }
            escaped = *byte == b'\\' && !escaped;
            if depth == 0 {
                return &text[at + 1..];
            }
        }
        &[]
    }

    proptest! {
        #[test]
        fn ends_where_the_brackets_are_closed(text in r#"[{\[]([{}\[\]"\\, xé]|\\\\|[a-z]{10}|"[^"\\]{0,30}"){0,80}"#) {
            prop_assert_eq!(after_brackets(text.as_bytes()), expected(text.as_bytes()));
        }
    }

    #[test]
    fn at_the_edges_of_blocks() {
        for length in 0..200 {
            let before = "x".repeat(length);
            for (inside, after) in [(r#""\\""#, ""), (r#""}\"]{""#, "rest"), (r"[[{}]]", "}")] {
                let text = format!("{{{before}{inside}}}{after}");
                assert_eq!(after_brackets(text.as_bytes()), after.as_bytes(), "{text}");
            }
            assert_eq!(after_brackets(format!("[{before}").as_bytes()), b"");
        }
    }
}
