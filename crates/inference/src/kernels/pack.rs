//! GGUF blocks to packed panels. Block layouts: ggml-quants, as the GGUF specification refers to it.

use super::form::{BLOCK, Bits, Form, GROUP, GROUP_QUADS, PANEL, QUAD, Scales};
use candle_core::quantized::GgmlDType;
use half::f16;

/// A row's share of a block, taken apart.
struct Parts {
    /// From 0 on.
    quants: [u8; BLOCK],
    /// f16 scale and minimum: one for the block in nested forms, one a group in flat ones.
    scales: [f16; BLOCK / GROUP],
    minimums: [f16; BLOCK / GROUP],
    /// 8-bit factors of nested forms.
    factors: [u8; BLOCK / 16],
    minimum_factors: [u8; BLOCK / 16],
}

/// Packs 16 rows (fewer: the rest is 0) of a block of `groups` groups of 32 columns. `rows[i]` has the row's bytes.
pub(super) fn block(form: Form, dtype: GgmlDType, groups: usize, rows: &[&[u8]], packed: &mut [u8]) {
    packed.fill(0);
    let scale_bytes = form.scale_bytes(groups);
    for (row, bytes) in rows.iter().enumerate() {
        let parts = take_apart(dtype, groups, bytes);
        let (scales, quants) = packed.split_at_mut(scale_bytes);
        put_scales(form, groups, row, &parts, scales);
        for (quants, packed) in parts.quants.chunks_exact(GROUP).zip(quants.chunks_exact_mut(form.group_bytes())) {
            put_quants(form.bits, quants, &mut packed[row * 4..]);
        }
    }
}

/// Writes a row's quants of a group, four to a word: the first four of its bytes in each line of `packed`.
fn put_quants(bits: Bits, quants: &[u8], packed: &mut [u8]) {
    let quads: [u32; GROUP_QUADS] = std::array::from_fn(|quad| {
        let bytes = &quants[quad * 4..quad * 4 + 4];
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    });
    let mut put = |line: usize, word: u32| packed[line * QUAD..line * QUAD + 4].copy_from_slice(&word.to_le_bytes());
    if bits == Bits::Eight {
        quads.into_iter().enumerate().for_each(|(line, word)| put(line, word));
        return;
    }
    for (line, pair) in quads.chunks_exact(2).enumerate() {
        put(line, pair[0] & 0x0f0f_0f0f | (pair[1] & 0x0f0f_0f0f) << 4);
    }
    if bits == Bits::Six {
        for (line, four) in quads.chunks_exact(4).enumerate() {
            let high = |index: usize| (four[index] >> 4 & 0x0303_0303) << (2 * index);
            put(GROUP_QUADS / 2 + line, high(0) | high(1) | high(2) | high(3));
        }
    }
}

fn put_scales(form: Form, groups: usize, row: usize, parts: &Parts, bytes: &mut [u8]) {
    let mut float = |index: usize, value: f16| bytes[2 * index..2 * index + 2].copy_from_slice(&value.to_le_bytes());
    match form.scales {
        Scales::Nested32 => {
            float(row, parts.scales[0]);
            float(PANEL + row, parts.minimums[0]);
            for group in 0..groups {
                let at = 4 * PANEL + 2 * PANEL * group + row;
                bytes[at] = parts.factors[group];
                bytes[at + PANEL] = parts.minimum_factors[group];
            }
        }
        Scales::Nested16 => {
            float(row, parts.scales[0]);
            for group in 0..2 * groups {
                bytes[2 * PANEL + PANEL * group + row] = parts.factors[group];
            }
        }
        Scales::Flat(_) => (0..groups).for_each(|group| float(PANEL * group + row, parts.scales[group])),
        Scales::FlatMinimum => {
            for group in 0..groups {
                float(2 * PANEL * group + row, parts.scales[group]);
                float(2 * PANEL * group + PANEL + row, parts.minimums[group]);
            }
        }
    }
}

fn take_apart(dtype: GgmlDType, groups: usize, bytes: &[u8]) -> Parts {
    let mut parts = Parts {
        quants: [0; BLOCK],
        scales: [f16::ZERO; BLOCK / GROUP],
        minimums: [f16::ZERO; BLOCK / GROUP],
        factors: [0; BLOCK / 16],
        minimum_factors: [0; BLOCK / 16],
    };
    match dtype {
        GgmlDType::Q4K | GgmlDType::Q5K => five_or_four_nested(dtype == GgmlDType::Q5K, bytes, &mut parts),
        GgmlDType::Q6K => six_nested(bytes, &mut parts),
        _ => {
            let size = dtype.type_size();
            for (group, bytes) in bytes.chunks_exact(size).take(groups).enumerate() {
                flat(dtype, bytes, group, &mut parts);
            }
        }
    }
    parts
}

fn float(bytes: &[u8]) -> f16 {
    f16::from_le_bytes([bytes[0], bytes[1]])
}

/// Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: groups of 32, each with its own scale.
fn flat(dtype: GgmlDType, bytes: &[u8], group: usize, parts: &mut Parts) {
    parts.scales[group] = float(bytes);
    let quants = &mut parts.quants[group * GROUP..(group + 1) * GROUP];
    if dtype == GgmlDType::Q8_0 {
        quants.iter_mut().zip(&bytes[2..]).for_each(|(quant, &byte)| *quant = byte ^ 0x80);
        return;
    }
    let with_minimum = matches!(dtype, GgmlDType::Q4_1 | GgmlDType::Q5_1);
    let mut rest = &bytes[2..];
    if with_minimum {
        // The file adds its minimum, the packed form takes it away.
        parts.minimums[group] = -float(rest);
        rest = &rest[2..];
    }
    let mut high = 0;
    if matches!(dtype, GgmlDType::Q5_0 | GgmlDType::Q5_1) {
        high = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
        rest = &rest[4..];
    }
    for (index, &byte) in rest.iter().take(GROUP / 2).enumerate() {
        let bit = |column: usize| ((high >> column) as u8 & 1) << 4;
        quants[index] = (byte & 0x0f) | bit(index);
        quants[index + GROUP / 2] = (byte >> 4) | bit(index + GROUP / 2);
    }
}

fn five_or_four_nested(five: bool, bytes: &[u8], parts: &mut Parts) {
    (parts.scales[0], parts.minimums[0]) = (float(bytes), float(&bytes[2..]));
    let factors = &bytes[4..16];
    for group in 0..8 {
        // 6-bit factors: the first four whole, the last four in two pieces.
        let (scale, minimum) = if group < 4 {
            (factors[group] & 63, factors[group + 4] & 63)
        } else {
            (
                (factors[group + 4] & 0x0f) | (factors[group - 4] >> 6) << 4,
                (factors[group + 4] >> 4) | (factors[group] >> 6) << 4,
            )
        };
        (parts.factors[group], parts.minimum_factors[group]) = (scale, minimum);
    }
    let (high, low) = if five { (&bytes[16..48], &bytes[48..176]) } else { (&bytes[..0], &bytes[16..144]) };
    // Two groups share bytes: the first has their low halves.
    for (pair, (quants, low)) in parts.quants.chunks_exact_mut(2 * GROUP).zip(low.chunks_exact(GROUP)).enumerate() {
        let (first, second) = quants.split_at_mut(GROUP);
        first.iter_mut().zip(low).for_each(|(quant, low)| *quant = low & 0x0f);
        second.iter_mut().zip(low).for_each(|(quant, low)| *quant = low >> 4);
        for (group, quants) in [(2 * pair, first), (2 * pair + 1, second)] {
            quants.iter_mut().zip(high).for_each(|(quant, high)| *quant |= (high >> group & 1) << 4);
        }
    }
}

fn six_nested(bytes: &[u8], parts: &mut Parts) {
    let (low, high, factors) = (&bytes[..128], &bytes[128..192], &bytes[192..208]);
    parts.scales[0] = float(&bytes[208..]);
    parts.factors.copy_from_slice(factors);
    // Each half of the block: quarters of 32 columns, whose high bits share bytes, and of whose low bits two share bytes.
    for (half, quants) in parts.quants.chunks_exact_mut(BLOCK / 2).enumerate() {
        let (low, high) = (&low[64 * half..64 * half + 64], &high[32 * half..32 * half + 32]);
        for (quarter, quants) in quants.chunks_exact_mut(GROUP).enumerate() {
            let low = &low[quarter % 2 * GROUP..][..GROUP];
            for (quant, (low, high)) in quants.iter_mut().zip(low.iter().zip(high)) {
                *quant = low >> (quarter / 2 * 4) & 0x0f | (high >> (2 * quarter) & 3) << 4;
            }
        }
    }
}
