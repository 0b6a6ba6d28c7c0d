//! SHA-256, as FIPS 180-4 has it.

/// The first 32 bits of the fractional parts of the roots of the first primes: `root` 2 or 3.
fn constants<const N: usize>(root: f64) -> [u32; N] {
    let mut found = [0; N];
    let primes = (2_u64..).filter(|&n| (2..n).take_while(|d| d * d <= n).all(|d| n % d != 0));
    for (place, prime) in found.iter_mut().zip(primes) {
        // The integer root of prime * 2^(32 * root): its low 32 bits are the fraction.
        let power = root as u32;
        let target = u128::from(prime) << (32 * power);
        let (mut low, mut high) = (0_u128, 1_u128 << 40);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if middle.pow(power) <= target { low = middle } else { high = middle }
        }
        *place = low as u32;
    }
    found
}

pub(crate) fn digest(message: &[u8]) -> [u8; 32] {
    let mut state: [u32; 8] = constants(2.0);
    let rounds: [u32; 64] = constants(3.0);
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(((message.len() as u64) * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 64];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
        }
        for n in 16..64 {
            let (a, b) = (words[n - 15], words[n - 2]);
            let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ a >> 3;
            let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ b >> 10;
            words[n] = words[n - 16].wrapping_add(s0).wrapping_add(words[n - 7]).wrapping_add(s1);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for (word, round) in words.iter().zip(rounds) {
            let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = e & f ^ !e & g;
            let t1 =
                h.wrapping_add(s1).wrapping_add(choice).wrapping_add(round).wrapping_add(*word);
            let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let t2 = s0.wrapping_add(a & b ^ a & c ^ b & c);
            (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
        }
        for (word, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *word = word.wrapping_add(add);
        }
    }
    let mut out = [0; 32];
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    out
}
