//! Against plain loops in double precision, on every instruction set of this machine.

use super::*;
use proptest::prelude::*;

fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let mut state = seed as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn close(ours: &[f32], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len());
    for (index, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((f64::from(*a) - b).abs() <= tolerance * (1.0 + b.abs()), "{what}: number {index}: {a} for {b}");
    }
}

/// `x · Wᵀ` in double precision.
fn plain_product(x: &[f32], weights: &[f32], columns: usize) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    x.chunks_exact(columns).flat_map(|x| weights.chunks_exact(columns).map(move |w| dot(x, w))).collect()
}

fn erf_gelu(x: f64) -> f64 {
    // The error function by its Maclaurin series, which converges well where it isn't 1.
    let z = x / std::f64::consts::SQRT_2;
    let erf = if z.abs() > 5.0 {
        z.signum()
    } else {
        let (mut term, mut sum) = (z, z);
        for n in 1..200 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    };
    0.5 * x * (1.0 + erf)
}

#[test]
fn products_agree_with_double_precision() {
    for isa in Isa::available() {
        for (tokens, rows, columns) in [
            (1, 1, 1),
            (2, 48, 3),
            (3, 50, 16),
            (5, 47, 33),
            (7, 96, 64),
            (11, 100, 7),
            (12, 13, 384),
            (97, 145, 40),
            (200, 49, 129),
        ] {
            let (x, weights) = (numbers(tokens * columns, 1), numbers(rows * columns, 2));
            let bias = numbers(rows, 3);
            let dense = Dense::pack(&weights, rows, columns);
            let what = format!("{isa:?} {tokens} {rows} {columns}");
            let mut out = vec![f32::NAN; tokens * rows];
            dense.multiply_with(isa, &x, &mut out, After::Nothing);
            let mut expected = plain_product(&x, &weights, columns);
            close(&out, &expected, 1e-5, &what);
            expected.iter_mut().zip(bias.iter().cycle()).for_each(|(x, b)| *x += f64::from(*b));
            dense.multiply_with(isa, &x, &mut out, After::Bias(&bias));
            close(&out, &expected, 1e-5, &what);
            expected.iter_mut().for_each(|x| *x = erf_gelu(*x));
            dense.multiply_with(isa, &x, &mut out, After::BiasGelu(&bias));
            close(&out, &expected, 1e-5, &what);
        }
    }
}

#[test]
fn products_of_bytes_are_near_and_the_same_alone() {
    for (tokens, rows, columns) in [
        (1, 1, 1),
        (3, 50, 16),
        (5, 47, 33),
        (7, 96, 128),
        (12, 13, 384),
        (40, 100, 384),
        (97, 49, 256),
        (97, 145, 259),
    ] {
        let (x, weights) = (numbers(tokens * columns, 1), numbers(rows * columns, 2));
        let dense = DenseBytes::pack(&weights, rows, columns);
        let expected = plain_product(&x, &weights, columns);
        let mut first: Option<Vec<f32>> = None;
        for isa in Isa::available() {
            let mut rounded = Rounded::default();
            rounded.set_with(isa, &x, columns);
            let mut out = vec![f32::NAN; tokens * rows];
            dense.multiply_with(isa, &rounded, &mut out, After::Nothing);
            // Each factor is off by half a step of 1/127 at most, evenly distributed.
            let tolerance = 0.02 + 0.01 * (columns as f64).sqrt();
            for (a, b) in out.iter().zip(&expected) {
                assert!(
                    (f64::from(*a) - b).abs() < tolerance + 0.01 * b.abs(),
                    "{isa:?} {tokens} {rows} {columns}: {a} for {b}"
                );
            }
            let first = first.get_or_insert_with(|| out.clone());
            close(&out, &first.iter().map(|x| f64::from(*x)).collect::<Vec<_>>(), 1e-6, "another instruction set");
            let mut alone = vec![f32::NAN; rows];
            rounded.set_with(isa, &x[(tokens - 1) * columns..], columns);
            dense.multiply_with(isa, &rounded, &mut alone, After::Nothing);
            assert!(alone == out[(tokens - 1) * rows..], "{isa:?} {tokens} {rows} {columns} has other bits alone");
        }
    }
}

#[test]
fn a_row_has_the_same_bits_whatever_is_beside_it() {
    let (rows, columns) = (100, 70);
    let dense = Dense::pack(&numbers(rows * columns, 2), rows, columns);
    let x = numbers(130 * columns, 1);
    for isa in Isa::available() {
        let mut all = vec![0.0; 130 * rows];
        dense.multiply_with(isa, &x, &mut all, After::Nothing);
        for (first, count) in [(0, 1), (1, 5), (7, 13), (40, 90)] {
            let mut some = vec![0.0; count * rows];
            dense.multiply_with(isa, &x[first * columns..(first + count) * columns], &mut some, After::Nothing);
            assert!(some == all[first * rows..(first + count) * rows], "{isa:?} {first} {count}");
        }
    }
}

/// Attention of one text in double precision, (tokens, heads · dimension).
fn plain_attention(rows: &[f32], shape: &AttentionShape<'_>) -> Vec<f64> {
    let (heads, dimension) = (shape.heads, shape.dimension);
    let tokens = rows.len() / (3 * heads * dimension);
    let part =
        |token: usize, part: usize, head: usize| &rows[((token * 3 + part) * heads + head) * dimension..][..dimension];
    let mut out = Vec::new();
    for query in 0..tokens {
        for head in 0..heads {
            let seen: Vec<usize> =
                (0..tokens).filter(|key| key.abs_diff(query) <= shape.reach.unwrap_or(tokens)).collect();
            let score = |key: usize| {
                let dot: f64 = part(query, 0, head)
                    .iter()
                    .zip(part(key, 1, head))
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum();
                let bias = shape.bias.map_or(0.0, |bias| {
                    f64::from(bias.values[head * (2 * bias.longest - 1) + bias.longest - 1 + key - query])
                });
                (dot / (dimension as f64).sqrt() + bias).exp()
            };
            let scores: Vec<f64> = seen.iter().map(|&key| score(key)).collect();
            let value = |index: usize| -> f64 {
                seen.iter().zip(&scores).map(|(&key, score)| score * f64::from(part(key, 2, head)[index])).sum()
            };
            out.extend((0..dimension).map(|index| value(index) / scores.iter().sum::<f64>()));
        }
    }
    out
}

#[test]
fn attention_agrees_with_double_precision() {
    let bias = DistanceBias { values: numbers(3 * 401, 5), longest: 201 };
    for isa in Isa::available() {
        for (dimension, reach, biased) in [
            (32, None, false),
            (64, None, true),
            (8, Some(3), false),
            (20, Some(64), true),
            (128, None, false),
            (48, Some(0), false),
        ] {
            let shape = AttentionShape { heads: 3, dimension, reach, bias: biased.then_some(&bias) };
            let hidden = 3 * dimension;
            let texts = [0..1, 1..26, 26..75, 75..275];
            let x: Vec<f32> = numbers(275 * 3 * hidden, 4).iter().map(|x| x * 1.5).collect();
            let mut out = vec![f32::NAN; 275 * hidden];
            attend_with(isa, &x, &texts, &shape, &mut out);
            for text in &texts {
                let rows = &x[text.start * 3 * hidden..text.end * 3 * hidden];
                let ours = &out[text.start * hidden..text.end * hidden];
                close(ours, &plain_attention(rows, &shape), 3e-5, &format!("{isa:?} {dimension} {text:?}"));
                let mut alone = vec![f32::NAN; text.len() * hidden];
                attend_with(isa, rows, std::slice::from_ref(&(0..text.len())), &shape, &mut alone);
                assert!(alone == ours, "{isa:?} {dimension} {text:?} has other bits alone");
            }
        }
    }
}

#[test]
fn row_functions_agree_with_double_precision() {
    for n in [1, 15, 16, 17, 64, 100, 384] {
        let (x, y) = (numbers(5 * n, 1), numbers(5 * n, 2));
        let norm = Norm { gain: numbers(n, 3), offset: numbers(n, 4), epsilon: 1e-5 };
        let expected: Vec<f64> = x
            .chunks_exact(n)
            .zip(y.chunks_exact(n))
            .flat_map(|(x, y)| {
                let sum: Vec<f64> = x.iter().zip(y).map(|(x, y)| f64::from(*x) + f64::from(*y)).collect();
                let mean = sum.iter().sum::<f64>() / n as f64;
                let variance = sum.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
                let inverse = 1.0 / (variance + 1e-5).sqrt();
                let row = sum.into_iter().zip(&norm.gain).zip(&norm.offset);
                row.map(|((x, g), o)| (x - mean) * inverse * f64::from(*g) + f64::from(*o)).collect::<Vec<_>>()
            })
            .collect();
        for isa in Isa::available() {
            let mut ours = x.clone();
            for (row, other) in ours.chunks_exact_mut(n).zip(y.chunks_exact(n)) {
                dispatch::add(isa, row, other);
                dispatch::normalise(isa, row, &norm);
            }
            close(&ours, &expected, 1e-4, &format!("{isa:?} norm of {n}"));
        }
        let mut ours = x.clone();
        add_norm(&mut ours, &y, &norm);
        close(&ours, &expected, 1e-4, "norm");
        let wide: Vec<f32> = x.chunks_exact(n).zip(y.chunks_exact(n)).flat_map(|(x, y)| [x, y].concat()).collect();
        let gated: Vec<f64> = x.iter().zip(&y).map(|(x, y)| erf_gelu(f64::from(*x)) * f64::from(*y)).collect();
        gelu_gate(&wide, &mut ours, n);
        close(&ours, &gated, 1e-5, "gate");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Of any shape, with any epilogue, in f32 and in bytes.
    #[test]
    fn products_of_any_shape_agree(tokens in 1usize..40, rows in 1usize..120, columns in 1usize..300, seed in 0usize..1000) {
        let (x, weights) = (numbers(tokens * columns, seed), numbers(rows * columns, seed + 1));
        let bias = numbers(rows, seed + 2);
        let mut expected = plain_product(&x, &weights, columns);
        expected.iter_mut().zip(bias.iter().cycle()).for_each(|(x, b)| *x += f64::from(*b));
        let (dense, bytes) = (Dense::pack(&weights, rows, columns), DenseBytes::pack(&weights, rows, columns));
        for isa in Isa::available() {
            let mut out = vec![f32::NAN; tokens * rows];
            dense.multiply_with(isa, &x, &mut out, After::Bias(&bias));
            close(&out, &expected, 2e-5, &format!("{isa:?}"));
            let mut rounded = Rounded::default();
            rounded.set_with(isa, &x, columns);
            out.fill(f32::NAN);
            bytes.multiply_with(isa, &rounded, &mut out, After::Bias(&bias));
            let off = out.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            prop_assert!(off < 0.03 + 0.02 * (columns as f64).sqrt(), "{isa:?}: {off}");
        }
    }
}
