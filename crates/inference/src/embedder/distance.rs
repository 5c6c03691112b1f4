//! MPNet's relative positions: a learned number for each head and bucket of distances, as T5 has it.

use crate::kernels::dense::DistanceBias;

/// Distances beyond this share a bucket.
const FARTHEST: f64 = 128.0;

/// Lays the table (buckets, heads) out by distance, for texts of up to `longest` tokens.
pub(super) fn bias(table: &[f32], buckets: usize, heads: usize, longest: usize) -> DistanceBias {
    let distances = (0..2 * longest - 1).map(|index| index as isize - (longest as isize - 1));
    let rows: Vec<usize> = distances.map(|distance| bucket(distance, buckets)).collect();
    let values = (0..heads).flat_map(|head| rows.iter().map(move |row| table[row * heads + head])).collect();
    DistanceBias { values, longest }
}

/// The bucket of a key at `distance` behind (or, negative, before) the query: half of them for each direction, half of
/// these for one distance each, the others ever wider.
fn bucket(distance: isize, buckets: usize) -> usize {
    let half = buckets / 2;
    let first = if distance > 0 { half } else { 0 };
    let (distance, single) = (distance.unsigned_abs(), half / 2);
    if distance < single {
        return first + distance;
    }
    let share = (distance as f64 / single as f64).ln() / (FARTHEST / single as f64).ln();
    first + (single + (share * (half - single) as f64) as usize).min(half - 1)
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn buckets_are_those_of_the_paper() {
        // From the reference implementation with 32 buckets.
        for (distance, expected) in [
            (0, 0),
            (-1, 1),
            (1, 17),
            (-7, 7),
            (-8, 8),
            (8, 24),
            (-15, 9),
            (-16, 10),
            (64, 30),
            (127, 31),
            (500, 31),
            (-500, 15),
        ] {
            assert_eq!(bucket(distance, 32), expected, "{distance}");
        }
    }
}
