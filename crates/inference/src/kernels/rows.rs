//! Work on the rows of several buffers, on several threads where there are enough of them.

use super::pool::{Shared, parallel};

/// Rows that are worth a task.
const SPREAD: usize = 16;

/// Runs `one(row, rows of the buffers)` for every row. `buffers` are the slices with the lengths of their rows; all have
/// the same number of rows.
pub(crate) fn for_rows<const N: usize>(
    buffers: [(&mut [f32], usize); N],
    one: &(dyn Fn(usize, [&mut [f32]; N]) + Sync),
) {
    let rows = buffers.first().map_or(0, |(slice, width)| slice.len() / width);
    assert!(buffers.iter().all(|(slice, width)| slice.len() == rows * width), "buffers of one number of rows");
    let shared = buffers.map(|(slice, width)| (Shared::new(slice), width));
    let run = |row: usize| {
        // SAFETY: every buffer has `rows` rows, and each row is visited once.
        one(row, shared.map(|(slice, width)| unsafe { slice.part(row * width, width) }));
    };
    if rows < SPREAD {
        (0..rows).for_each(run);
    } else {
        parallel(rows.div_ceil(SPREAD), &|task| (task * SPREAD..rows.min((task + 1) * SPREAD)).for_each(run));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_visited_once() {
        for rows in [0, 1, 15, 16, 100] {
            let (mut a, mut b) = (vec![1.0; rows * 3], vec![0.0; rows * 2]);
            for_rows([(&mut a, 3), (&mut b, 2)], &|row, [a, b]| {
                a[2] += 1.0;
                b[0] += row as f32;
                b[1] += a[2];
            });
            for row in 0..rows {
                assert_eq!(
                    (&a[row * 3..row * 3 + 3], &b[row * 2..row * 2 + 2]),
                    (&[1.0, 1.0, 2.0][..], &[row as f32, 2.0][..])
                );
            }
        }
    }
}
