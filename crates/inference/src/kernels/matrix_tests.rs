use super::*;
use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};
use proptest::prelude::*;

const TYPES: [GgmlDType; 8] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = u64::from(seed) * 2 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next() + 0.3 * next()).collect()
}

fn quantised(dtype: GgmlDType, rows: usize, columns: usize, seed: u32) -> (Matrix, Vec<f32>) {
    let values = Tensor::from_vec(noise(rows * columns, seed), (rows, columns), &Device::Cpu).unwrap();
    let tensor = QTensor::quantize(&values, dtype).unwrap();
    let dense = tensor.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    (Matrix::pack(dtype, &tensor.data().unwrap(), rows, columns).unwrap(), dense)
}

fn product(isa: Isa, matrix: &Matrix, x: &Activations) -> Vec<f32> {
    let mut out = vec![f32::NAN; x.rows * matrix.rows];
    multiply_all_with(isa, &mut [Product { matrix, rows: 0..x.rows, out: &mut out }], x);
    out
}

#[test]
fn rows_come_back_as_the_file_has_them() {
    for dtype in TYPES {
        let (matrix, dense) = quantised(dtype, 37, 512, 3);
        let mut row = vec![0.0; 512];
        for index in [0, 15, 16, 36] {
            matrix.row(index, &mut row);
            for (found, expected) in row.iter().zip(&dense[index * 512..]) {
                assert!((found - expected).abs() < 2e-6, "{dtype:?}: {found} {expected}");
            }
        }
    }
}

#[test]
fn products_agree_with_double_precision_on_the_same_rounded_numbers() {
    for dtype in TYPES {
        let columns = if dtype.block_size() == 256 { 768 } else { 608 };
        let (matrix, dense) = quantised(dtype, 50, columns, 5);
        for rows in [1, 2, 7, 8, 9, 40] {
            let x = Activations::quantise(&noise(rows * columns, 9), columns);
            let found = product(Isa::detect(), &matrix, &x);
            for row in 0..rows {
                for output in 0..50 {
                    let expected: f64 = (0..columns)
                        .map(|column| {
                            let at = column / 256 * rows + row;
                            let quant = f64::from(x.quants[at * 256 + column % 256]);
                            quant * f64::from(x.scales[at]) * f64::from(dense[output * columns + column])
                        })
                        .sum();
                    let found = f64::from(found[row * 50 + output]);
                    assert!((found - expected).abs() < 1e-3, "{dtype:?} {rows}: {found} {expected}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every instruction set gives the same bits, and a row's bits don't depend on the rows beside it.
    #[test]
    fn products_have_the_same_bits_everywhere(
        kind in 0..TYPES.len(), outputs in 1usize..70, groups in 1usize..20, rows in 1usize..70, seed in 0u32..1000,
    ) {
        let dtype = TYPES[kind];
        let columns = if dtype.block_size() == 256 { groups.div_ceil(8) * 256 } else { groups * 32 };
        let (matrix, _) = quantised(dtype, outputs, columns, seed);
        let input = noise(rows * columns, seed + 1);
        let x = Activations::quantise(&input, columns);
        let expected = product(Isa::Scalar, &matrix, &x);
        for isa in Isa::available() {
            let found = product(isa, &matrix, &x);
            let same = found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            prop_assert!(same, "{:?} {:?}", isa, dtype);
        }
        for (row, input) in input.chunks(columns).enumerate() {
            let alone = product(Isa::detect(), &matrix, &Activations::quantise(input, columns));
            prop_assert_eq!(&alone[..], &expected[row * outputs..(row + 1) * outputs]);
        }
    }
}

/// Blocks as no quantiser writes them: every factor and quant may be the greatest there is.
#[test]
fn any_block_has_the_same_bits_everywhere() {
    let mut state = 1u32;
    let mut byte = |kind: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        [0x00, 0x80, 0xff, (state >> 24) as u8][kind as usize % 4]
    };
    let (outputs, rows, columns) = (20, 67, 512);
    let signs: Vec<f32> = (0..rows * columns).map(|i| if i / columns % 3 == 0 { 1.0 } else { -1.0 }).collect();
    for x in [Activations::quantise(&signs, columns), Activations::quantise(&noise(rows * columns, 4), columns)] {
        for (dtype, kind) in TYPES.into_iter().flat_map(|dtype| (0..4).map(move |kind| (dtype, kind))) {
            let size = dtype.type_size();
            let mut bytes: Vec<u8> = (0..outputs * columns / dtype.block_size() * size).map(|_| byte(kind)).collect();
            let scale = f16::from_f32(0.25).to_le_bytes();
            for block in bytes.chunks_exact_mut(size) {
                match dtype {
                    GgmlDType::Q6K => block[208..].copy_from_slice(&scale),
                    GgmlDType::Q4K | GgmlDType::Q5K | GgmlDType::Q4_1 | GgmlDType::Q5_1 => {
                        block[..4].copy_from_slice(&[scale, scale].concat());
                    }
                    _ => block[..2].copy_from_slice(&scale),
                }
            }
            let matrix = Matrix::pack(dtype, &bytes, outputs, columns).unwrap();
            let expected = product(Isa::Scalar, &matrix, &x);
            for isa in Isa::available() {
                assert_eq!(product(isa, &matrix, &x), expected, "{isa:?} {dtype:?} {kind}");
            }
        }
    }
}

#[test]
fn rows_of_their_own_for_each_matrix_are_those_of_all() {
    let columns = 768;
    let matrices: Vec<Matrix> = (0..3).map(|seed| quantised(GgmlDType::Q4K, 50, columns, seed).0).collect();
    let x = Activations::quantise(&noise(21 * columns, 9), columns);
    let mut picked = Activations::default();
    let order: Vec<usize> = (0..21).rev().chain([4, 4]).collect();
    picked.gather(&x, &order);
    let ranges = [0..1, 1..15, 15..23];
    let mut outs: Vec<Vec<f32>> = ranges.iter().map(|rows| vec![f32::NAN; rows.len() * 50]).collect();
    let mut products: Vec<Product<'_>> = matrices
        .iter()
        .zip(&ranges)
        .zip(&mut outs)
        .map(|((matrix, rows), out)| Product { matrix, rows: rows.clone(), out })
        .collect();
    multiply_all(&mut products, &picked);
    for ((matrix, rows), out) in matrices.iter().zip(ranges).zip(&outs) {
        let all = product(Isa::Scalar, matrix, &x);
        for (row, out) in rows.zip(out.chunks(50)) {
            assert_eq!(out, &all[order[row] * 50..(order[row] + 1) * 50]);
        }
    }
}

#[test]
fn wrong_shapes_are_refused() {
    assert!(Matrix::pack(GgmlDType::Q8_0, &[0; 34], 1, 32).is_some());
    assert!(Matrix::pack(GgmlDType::Q8_0, &[0; 34], 1, 48).is_none());
    assert!(Matrix::pack(GgmlDType::Q8_0, &[0; 33], 1, 32).is_none());
    assert!(Matrix::pack(GgmlDType::Q2K, &[0; 84], 1, 256).is_none());
}
