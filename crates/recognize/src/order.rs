//! The order in which people read the lines of a page: columns one after the other, tables row by row.

use crate::regions::Region;

/// Columns are so far apart at least, in heights of a line.
const GUTTER: f32 = 0.7;
/// Columns of running text have so many lines at least, and lines so long in heights of a line; what is smaller is a
/// table.
const COLUMN_LINES: usize = 4;
const COLUMN_WIDTH: f32 = 8.0;
/// Columns within columns.
const DEPTH: usize = 6;

/// Joins regions that are parts of one line: the detector cuts a line at wide spaces.
pub(crate) fn join(regions: Vec<Region>) -> Vec<Region> {
    /// The widest space within a line, in heights of the line.
    const SPACE: f32 = 0.6;
    let mut joined: Vec<Region> = Vec::with_capacity(regions.len());
    let mut sorted = regions;
    sorted.sort_by(|one, other| one.left.total_cmp(&other.left));
    for region in sorted {
        let before = joined.iter_mut().find(|line| {
            let height = line.height().min(region.height());
            let alike = line.height().max(region.height()) < 1.6 * height;
            let is_near = region.left - line.right < SPACE * height;
            alike && is_near && line.shared_height(&region) > 0.6 && !line.is_tall() && !region.is_tall()
        });
        match before {
            Some(line) => *line = line.around(&region),
            None => joined.push(region),
        }
    }
    joined
}

/// Sorts regions into reading order.
pub(crate) fn sort(regions: Vec<Region>) -> Vec<Region> {
    let mut sorted = Vec::with_capacity(regions.len());
    columns(regions, DEPTH, &mut sorted);
    sorted
}

fn columns(regions: Vec<Region>, depth: usize, sorted: &mut Vec<Region>) {
    let Some(gutter) = (if depth == 0 { None } else { gutter(&regions) }) else {
        return rows(regions, sorted);
    };
    // Lines across the gutter, such as a heading over both columns, part what is above them from what is below.
    let (mut crossing, mut beside): (Vec<_>, Vec<_>) = regions.into_iter().partition(|region| crosses(region, gutter));
    crossing.sort_by(|one, other| one.middle().total_cmp(&other.middle()));
    let mut crossing = crossing.into_iter().peekable();
    loop {
        let next = crossing.peek().map_or(f32::INFINITY, Region::middle);
        let (above, below) = beside.into_iter().partition::<Vec<_>, _>(|region| region.middle() < next);
        let (left, right) = above.into_iter().partition::<Vec<_>, _>(|region| region.right <= gutter);
        columns(left, depth - 1, sorted);
        columns(right, depth - 1, sorted);
        beside = below;
        match crossing.next() {
            Some(line) => sorted.push(line),
            None => break,
        }
    }
}

fn crosses(region: &Region, gutter: f32) -> bool {
    region.left < gutter && region.right > gutter
}

fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The middle of the gap that parts most lines into two columns of running text.
fn gutter(regions: &[Region]) -> Option<f32> {
    if regions.len() < 2 * COLUMN_LINES {
        return None;
    }
    let height = median(regions.iter().map(Region::height));
    // Gaps begin where a line ends.
    let mut ends: Vec<f32> = regions.iter().map(|region| region.right).collect();
    ends.sort_by(f32::total_cmp);
    ends.dedup_by(|one, other| (*one - *other).abs() < 0.25 * height);
    let candidates = ends.into_iter().map(|end| end + 0.5 * GUTTER * height);
    let parts = |place: f32| {
        let clear = |region: &&Region| !(region.left < place + 0.5 * GUTTER * height && region.right > place);
        let left: Vec<&Region> = regions.iter().filter(|region| region.right <= place).collect();
        let right: Vec<&Region> = regions.iter().filter(|region| region.left >= place).collect();
        let crossing = regions.len() - regions.iter().filter(clear).count();
        let is_column = |side: &[&Region]| {
            side.len() >= COLUMN_LINES && median(side.iter().map(|region| region.width())) >= COLUMN_WIDTH * height
        };
        // The columns stand beside each other, not one above the other.
        let top = |side: &[&Region]| side.iter().map(|region| region.top).fold(f32::MAX, f32::min);
        let bottom = |side: &[&Region]| side.iter().map(|region| region.bottom).fold(f32::MIN, f32::max);
        let beside = bottom(&left).min(bottom(&right)) - top(&left).max(top(&right));
        let fits = is_column(&left) && is_column(&right) && crossing * 4 <= regions.len() && beside > 3.0 * height;
        fits.then_some(crossing)
    };
    let found = candidates.filter_map(|place| parts(place).map(|crossing| (crossing, place)));
    found.min_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1))).map(|(_, place)| place)
}

/// Rows from above to below, each from left to right.
fn rows(mut regions: Vec<Region>, sorted: &mut Vec<Region>) {
    regions.sort_by(|one, other| one.middle().total_cmp(&other.middle()));
    let mut rows: Vec<Vec<Region>> = Vec::new();
    for region in regions {
        let row = rows.last_mut().filter(|row| row.first().is_some_and(|first| first.shared_height(&region) > 0.5));
        match row {
            Some(row) => row.push(region),
            None => rows.push(vec![region]),
        }
    }
    for mut row in rows {
        row.sort_by(|one, other| one.left.total_cmp(&other.left));
        sorted.append(&mut row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(left: f32, top: f32, width: f32) -> Region {
        Region { left, top, right: left + width, bottom: top + 10.0 }
    }

    /// Checks that sorting brings shuffled regions back into this order.
    fn check(expected: &[Region]) {
        let mut shuffled: Vec<Region> = expected.to_vec();
        shuffled
            .sort_by(|one, other| (one.left + 7.0 * one.top).sin().total_cmp(&(other.left + 7.0 * other.top).sin()));
        assert_eq!(sort(shuffled), expected);
    }

    #[test]
    fn two_columns_under_a_heading_and_over_a_footer() {
        let mut page = vec![line(20.0, 0.0, 300.0)];
        page.extend((0..6).map(|row| line(0.0, 20.0 + 14.0 * row as f32, 150.0 - 3.0 * row as f32)));
        page.extend((0..6).map(|row| line(170.0, 20.0 + 14.0 * row as f32, 150.0)));
        page.push(line(100.0, 130.0, 120.0));
        check(&page);
    }

    #[test]
    fn three_columns() {
        let column = |left: f32| (0..5).map(move |row| line(left, 14.0 * row as f32, 100.0));
        check(&[0.0, 120.0, 240.0].into_iter().flat_map(column).collect::<Vec<_>>());
    }

    #[test]
    fn a_table_is_read_row_by_row() {
        let row = |row: u8| [0.0, 60.0, 200.0].map(|left| line(left, 14.0 * f32::from(row), 40.0));
        check(&(0..6).flat_map(row).collect::<Vec<_>>());
    }

    #[test]
    fn short_lines_of_one_column_make_no_gutter() {
        check(
            &(0..12)
                .map(|row| line(0.0, 14.0 * row as f32, if row % 3 == 0 { 90.0 } else { 300.0 }))
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn parts_of_a_line_are_joined_but_not_columns() {
        let joined =
            join(vec![line(56.0, 1.0, 50.0), line(0.0, 0.0, 51.0), line(130.0, 0.0, 50.0), line(0.0, 14.0, 50.0)]);
        assert_eq!(joined.len(), 3);
        assert!(joined.contains(&Region { left: 0.0, top: 0.0, right: 106.0, bottom: 11.0 }));
    }
}
