//! From a map of where text is likely to boxes around lines, along the angle of the page.

/// A pixel of the map belongs to text above this.
const LIKELY: f32 = 0.3;
/// A region is text if its pixels are so likely on average.
const REGION_LIKELY: f32 = 0.5;
/// The detector is trained on text shrunk by a part of its area (the DB paper, section 3.4): boxes are widened by area
/// × this / perimeter.
const WIDEN: f32 = 1.6;
/// Regions of fewer pixels are specks.
const LEAST_PIXELS: u32 = 8;
/// The most regions of a picture; a dense newspaper page has some thousands of lines.
const MOST: usize = 10_000;

/// How likely each pixel of a picture is text, 0 to 1, row by row.
pub(crate) struct Likelihood {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

/// Directions on the page: `u` runs along its lines, `v` down across them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axes {
    cos: f32,
    sin: f32,
}

impl Axes {
    pub(crate) fn at_angle(radians: f32) -> Self {
        Self { cos: radians.cos(), sin: radians.sin() }
    }

    fn along(self, (x, y): (f32, f32)) -> (f32, f32) {
        (x * self.cos + y * self.sin, y * self.cos - x * self.sin)
    }

    /// The point of the picture at (u, v).
    pub(crate) fn point(self, (u, v): (f32, f32)) -> (f32, f32) {
        (u * self.cos - v * self.sin, u * self.sin + v * self.cos)
    }
}

/// A box around a line of text, or a part of one, along the [`Axes`] of its picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Region {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) right: f32,
    pub(crate) bottom: f32,
}

impl Region {
    pub(crate) fn width(&self) -> f32 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f32 {
        self.bottom - self.top
    }

    pub(crate) fn middle(&self) -> f32 {
        (self.top + self.bottom) / 2.0
    }

    /// Whether it is so tall that it must be text on its side.
    pub(crate) fn is_tall(&self) -> bool {
        self.height() > 2.5 * self.width()
    }

    /// The share of the lower one's height that both have in common, from above to below.
    pub(crate) fn shared_height(&self, other: &Self) -> f32 {
        let shared = self.bottom.min(other.bottom) - self.top.max(other.top);
        shared.max(0.0) / self.height().min(other.height()).max(1.0)
    }

    pub(crate) fn around(&self, other: &Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// In a picture that has so many more pixels each way. Scaling that differs by a pixel between the two ways does
    /// not turn a page.
    pub(crate) fn scaled(&self, factor: f32) -> Self {
        Self {
            left: self.left * factor,
            top: self.top * factor,
            right: self.right * factor,
            bottom: self.bottom * factor,
        }
    }
}

/// Pixels that touch, and what is needed to know how they lie.
#[derive(Default, Clone, Copy)]
struct Component {
    count: u32,
    likely: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Component {
    fn add(&mut self, x: f64, y: f64, likely: f32) {
        self.count += 1;
        self.likely += f64::from(likely);
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.yy += y * y;
        self.xy += x * y;
    }

    fn is_text(&self) -> bool {
        self.count >= LEAST_PIXELS && self.likely >= f64::from(REGION_LIKELY) * f64::from(self.count)
    }

    /// The angle of its longest axis to that side of the picture which is nearer, and its length; `None` if it is not
    /// long enough to say.
    fn direction(&self) -> Option<(f64, f64)> {
        const LONGER: f64 = 6.0;
        let count = f64::from(self.count);
        let (x, y) = (self.x / count, self.y / count);
        let (xx, yy, xy) = (self.xx / count - x * x, self.yy / count - y * y, self.xy / count - x * y);
        // The eigenvalues of the covariance are a twelfth of the squared sides.
        let (middle, spread) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
        if middle + spread < LONGER * LONGER * (middle - spread).max(1.0 / 12.0) {
            return None;
        }
        let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
        let quarter = std::f64::consts::FRAC_PI_2;
        Some((angle - (angle / quarter).round() * quarter, (12.0 * (middle + spread)).sqrt()))
    }
}

/// Finds the lines. All regions lie along the same axes, those of the page.
pub(crate) fn find(map: &Likelihood) -> (Vec<Region>, Axes) {
    let (labels, components) = components(map);
    let axes = Axes::at_angle(skew(&components));
    let empty = Region { left: f32::MAX, top: f32::MAX, right: f32::MIN, bottom: f32::MIN };
    let mut boxes = vec![empty; components.len()];
    for (place, &label) in labels.iter().enumerate().filter(|(_, label)| **label > 0) {
        let (u, v) = axes.along(((place % map.width) as f32 + 0.5, (place / map.width) as f32 + 0.5));
        let region = &mut boxes[label as usize - 1];
        *region = region.around(&Region { left: u - 0.5, top: v - 0.5, right: u + 0.5, bottom: v + 0.5 });
    }
    let is_text = components.iter().map(Component::is_text);
    let regions = boxes.into_iter().zip(is_text).filter(|(_, is_text)| *is_text).map(|(region, _)| {
        let (width, height) = (region.width(), region.height());
        let more = (width * height * WIDEN / (2.0 * (width + height))).max(1.0);
        Region {
            left: region.left - more,
            top: region.top - more,
            right: region.right + more,
            bottom: region.bottom + more,
        }
    });
    (regions.take(MOST).collect(), axes)
}

/// The components of likely pixels, and for each pixel the number of its own, from 1.
fn components(map: &Likelihood) -> (Vec<u32>, Vec<Component>) {
    let mut labels = vec![0_u32; map.values.len()];
    let mut components = Vec::new();
    let mut open = Vec::new();
    for start in 0..labels.len() {
        if labels[start] > 0 || map.values[start] <= LIKELY {
            continue;
        }
        let label = u32::try_from(components.len() + 1).unwrap_or(u32::MAX);
        let mut component = Component::default();
        labels[start] = label;
        open.push(start);
        while let Some(place) = open.pop() {
            let (x, y) = (place % map.width, place / map.width);
            component.add(x as f64, y as f64, map.values[place]);
            for near_y in y.saturating_sub(1)..(y + 2).min(map.height) {
                for near_x in x.saturating_sub(1)..(x + 2).min(map.width) {
                    let near = near_y * map.width + near_x;
                    if labels[near] == 0 && map.values[near] > LIKELY {
                        labels[near] = label;
                        open.push(near);
                    }
                }
            }
        }
        components.push(component);
    }
    (labels, components)
}

/// By how much the page is turned, in radians: the angle that splits the length of all long lines in half.
fn skew(components: &[Component]) -> f32 {
    /// Less is not worth it: over a line of 60 letters it is less than a third of a letter's height.
    const LEAST: f64 = 0.003;
    let mut angles: Vec<(f64, f64)> =
        components.iter().filter(|component| component.is_text()).filter_map(Component::direction).collect();
    angles.sort_by(|one, other| one.0.total_cmp(&other.0));
    let all: f64 = angles.iter().map(|(_, length)| length).sum();
    let mut passed = 0.0;
    let middle = angles.iter().find(|(_, length)| {
        passed += length;
        passed * 2.0 >= all
    });
    #[allow(clippy::cast_possible_truncation)]
    middle.map_or(0.0, |&(angle, _)| if angle.abs() < LEAST { 0.0 } else { angle as f32 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map with bars of text at (left, top, width, height), turned around the origin.
    fn map(width: usize, height: usize, angle: f32, bars: &[(f32, f32, f32, f32)]) -> Likelihood {
        let axes = Axes::at_angle(angle);
        let mut values = vec![0.0; width * height];
        for (place, value) in values.iter_mut().enumerate() {
            let (u, v) = axes.along(((place % width) as f32 + 0.5, (place / width) as f32 + 0.5));
            let inside = bars
                .iter()
                .any(|(left, top, wide, high)| (*left..left + wide).contains(&u) && (*top..top + high).contains(&v));
            *value = if inside { 0.9 } else { 0.1 };
        }
        Likelihood { width, height, values }
    }

    #[test]
    fn boxes_are_wider_than_the_shrunken_text() {
        let (regions, axes) = find(&map(100, 50, 0.0, &[(10.0, 10.0, 60.0, 6.0), (10.0, 30.0, 2.0, 2.0)]));
        assert_eq!(axes, Axes::at_angle(0.0));
        let more = 60.0 * 6.0 * WIDEN / 132.0;
        assert_eq!(regions.len(), 1, "the speck of four pixels is none");
        assert!((regions[0].left - (10.0 - more)).abs() < 1e-3 && (regions[0].bottom - (16.0 + more)).abs() < 1e-3);
    }

    #[test]
    fn lines_of_a_turned_page_have_straight_boxes() {
        for degrees in [-8.0_f32, -1.0, 3.0, 20.0] {
            let bars = [(60.0, 130.0, 150.0, 8.0), (60.0, 160.0, 90.0, 8.0), (60.0, 190.0, 120.0, 8.0)];
            let (regions, axes) = find(&map(400, 400, degrees.to_radians(), &bars));
            let angle = axes.sin.atan2(axes.cos).to_degrees();
            assert!((angle - degrees).abs() < 0.3, "{angle} instead of {degrees}");
            let heights: Vec<f32> = regions.iter().map(Region::height).collect();
            assert!(regions.len() == 3 && heights.iter().all(|height| *height < 24.0), "{heights:?}");
        }
    }

    #[test]
    fn noise_that_is_hardly_likely_is_no_text() {
        let mut faint = map(100, 50, 0.0, &[(10.0, 10.0, 60.0, 6.0)]);
        faint.values.iter_mut().for_each(|value| *value *= 0.5);
        assert!(find(&faint).0.is_empty());
        assert!(find(&Likelihood { width: 0, height: 0, values: Vec::new() }).0.is_empty());
    }
}
