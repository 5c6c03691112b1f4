//! Pictures made smaller, turned, and sampled between their pixels.

use extract::Picture;

/// A picture no larger than `width` × `height`, each pixel the mean of those it stands for. Both sizes are at least 1
/// and at most those of the picture.
pub(crate) fn shrink(picture: &Picture, width: u32, height: u32) -> Picture {
    let (from_width, from_height) = (picture.width as usize, picture.height as usize);
    let (to_width, to_height) = (width as usize, height as usize);
    let mut sums = vec![0_u32; to_width];
    let mut counts = vec![0_u32; to_width];
    let mut grey = Vec::with_capacity(to_width * to_height);
    let edge = |place: usize, from: usize, to: usize| place * from / to;
    for row in 0..to_height {
        let (top, bottom) = (edge(row, from_height, to_height), edge(row + 1, from_height, to_height));
        sums.fill(0);
        counts.fill(0);
        for line in picture.grey.chunks_exact(from_width).take(bottom).skip(top) {
            for (column, (sum, count)) in sums.iter_mut().zip(&mut counts).enumerate() {
                let (left, right) = (edge(column, from_width, to_width), edge(column + 1, from_width, to_width));
                *sum += line[left..right].iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
                *count += u32::try_from(right - left).unwrap_or(u32::MAX);
            }
        }
        grey.extend(sums.iter().zip(&counts).map(|(sum, count)| u8::try_from(sum / (*count).max(1)).unwrap_or(255)));
    }
    Picture { width, height, grey }
}

/// The picture turned clockwise by as many quarters of a circle.
pub(crate) fn turn(picture: &Picture, quarters: u8) -> Picture {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let at = |x: usize, y: usize| picture.grey[y * width + x];
    let sideways = |at: &dyn Fn(usize, usize) -> u8| (0..width * height).map(|i| at(i % height, i / height)).collect();
    let (turned_width, turned_height, grey) = match quarters % 4 {
        1 => (picture.height, picture.width, sideways(&|x, y| at(y, height - 1 - x))),
        2 => (picture.width, picture.height, picture.grey.iter().rev().copied().collect()),
        3 => (picture.height, picture.width, sideways(&|x, y| at(width - 1 - y, x))),
        _ => (picture.width, picture.height, picture.grey.clone()),
    };
    Picture { width: turned_width, height: turned_height, grey }
}

/// Where a point of a picture of this size, turned clockwise by as many quarters, was before. Both sizes are those
/// before turning.
pub(crate) fn unturn((x, y): (f32, f32), quarters: u8, (width, height): (f32, f32)) -> (f32, f32) {
    match quarters % 4 {
        1 => (y, height - x),
        2 => (width - x, height - y),
        3 => (width - y, x),
        _ => (x, y),
    }
}

/// The grey value, 0 to 255, at a point between pixels; white outside of the picture. The centre of the first pixel
/// is (0.5, 0.5).
pub(crate) fn sample(picture: &Picture, x: f32, y: f32) -> f32 {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let pixel = |x: f32, y: f32| {
        if x < 0.0 || y < 0.0 || x >= picture.width as f32 || y >= picture.height as f32 {
            return 255.0;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = y as usize * picture.width as usize + x as usize;
        f32::from(picture.grey[at])
    };
    let upper = pixel(left, top) * (1.0 - right_share) + pixel(left + 1.0, top) * right_share;
    let lower = pixel(left, top + 1.0) * (1.0 - right_share) + pixel(left + 1.0, top + 1.0) * right_share;
    upper * (1.0 - bottom_share) + lower * bottom_share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, grey: &[u8]) -> Picture {
        Picture { width, height: u32::try_from(grey.len()).unwrap() / width, grey: grey.to_vec() }
    }

    #[test]
    fn shrinking_takes_the_mean() {
        let small = shrink(&picture(4, &[0, 10, 20, 30, 10, 20, 40, 50]), 2, 1);
        assert_eq!(small, picture(2, &[10, 35]));
        let odd = shrink(&picture(3, &[1, 2, 3, 4, 5, 6, 7, 8, 9]), 2, 2);
        assert_eq!(odd, picture(2, &[1, 2, 5, 7]));
    }

    #[test]
    fn turning_goes_clockwise_and_points_find_back() {
        let upright = picture(3, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(turn(&upright, 1), picture(2, &[4, 1, 5, 2, 6, 3]));
        assert_eq!(turn(&upright, 2), picture(3, &[6, 5, 4, 3, 2, 1]));
        assert_eq!(turn(&upright, 3), picture(2, &[3, 6, 2, 5, 1, 4]));
        for quarters in 0..4 {
            let turned = turn(&upright, quarters);
            for y in 0..turned.height {
                for x in 0..turned.width {
                    let centre = (x as f32 + 0.5, y as f32 + 0.5);
                    let (from_x, from_y) = unturn(centre, quarters, (3.0, 2.0));
                    assert_eq!(sample(&upright, from_x, from_y), sample(&turned, centre.0, centre.1));
                }
            }
        }
    }

    #[test]
    fn between_pixels_values_mix_and_outside_is_white() {
        let two = picture(2, &[0, 100]);
        assert_eq!(sample(&two, 0.5, 0.5), 0.0);
        assert_eq!(sample(&two, 1.0, 0.5), 50.0);
        assert_eq!(sample(&two, 9.0, 0.5), 255.0);
    }
}
