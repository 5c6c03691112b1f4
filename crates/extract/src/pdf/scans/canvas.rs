//! A page to draw pictures on.

use super::super::geometry::Matrix;
use crate::host::Picture;

/// The matrix that leads back; `None` if several points came to lie on one.
fn inverse(matrix: &Matrix) -> Option<Matrix> {
    let Matrix { a, b, c, d, e, f } = *matrix;
    let determinant = a * d - b * c;
    let inverse = [d, -b, -c, a, c * f - d * e, b * e - a * f].map(|number| number / determinant);
    inverse.iter().all(|number| number.is_finite()).then_some(Matrix::new(inverse))
}

/// The page, white.
pub(super) struct Canvas {
    page: Picture,
    /// Pixels a point.
    scale: f64,
}

impl Canvas {
    /// A page of this size in points; `None` if it has no pixels.
    pub(super) fn new(size: (f64, f64), scale: f64) -> Option<Self> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let pixels = |points: f64| (points * scale).round() as u32;
        let (width, height) = (pixels(size.0), pixels(size.1));
        let bytes = width as usize * height as usize;
        (bytes > 0).then(|| Self { page: Picture { width, height, grey: vec![255; bytes] }, scale })
    }

    pub(super) fn into_picture(self) -> Picture {
        self.page
    }

    /// Draws a picture into the square that the matrix makes of the unit square, its upper row where y is 1. Of a mask
    /// only what is black is drawn.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn draw(&mut self, picture: &Picture, is_mask: bool, matrix: &Matrix) {
        let to_pixels = matrix.then(&Matrix::new([self.scale, 0.0, 0.0, self.scale, 0.0, 0.0]));
        let Some(back) = inverse(&to_pixels) else { return };
        let corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)].map(|(x, y)| to_pixels.apply(x, y));
        let bounds = |values: [f64; 4], size: u32| {
            let (first, last) =
                values.iter().fold((f64::MAX, f64::MIN), |(low, high), &value| (low.min(value), high.max(value)));
            (first.floor().clamp(0.0, f64::from(size)) as usize, last.ceil().clamp(0.0, f64::from(size)) as usize)
        };
        let (left, right) = bounds(corners.map(|(x, _)| x), self.page.width);
        let (top, bottom) = bounds(corners.map(|(_, y)| y), self.page.height);
        let (width, height) = (f64::from(picture.width), f64::from(picture.height));
        // A pixel of the page is the mean of as many samples as there are pixels of the picture in it.
        let finer = (width * height / to_pixels.stretch()).sqrt();
        let samples = (finer.round() as usize).clamp(1, 4);
        let row_length = self.page.width as usize;
        for y in top..bottom {
            for x in left..right {
                let (mut sum, mut count) = (0_u32, 0_u32);
                for sample in 0..samples * samples {
                    let part = |place: usize| (place as f64 + 0.5) / samples as f64;
                    let (across, up) = back.apply(x as f64 + part(sample % samples), y as f64 + part(sample / samples));
                    if (0.0..1.0).contains(&across) && up > 0.0 && up <= 1.0 {
                        let (column, row) = ((across * width) as usize, ((1.0 - up) * height) as usize);
                        let value = picture.grey.get(row * picture.width as usize + column);
                        sum += value.map_or(255, |&value| u32::from(value));
                        count += 1;
                    }
                }
                let pixel = &mut self.page.grey[y * row_length + x];
                let value = sum.checked_div(count).and_then(|mean| u8::try_from(mean).ok());
                *pixel = match value {
                    Some(value) if is_mask => value.min(*pixel),
                    Some(value) => value,
                    None => *pixel,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_drawn_where_the_matrix_says() {
        // Four pixels over a page of 2 × 2 points, whose y runs down.
        let picture = Picture { width: 2, height: 2, grey: vec![10, 20, 30, 40] };
        let drawn = |matrix| {
            let mut canvas = Canvas::new((2.0, 2.0), 1.0).unwrap();
            canvas.draw(&picture, false, &Matrix::new(matrix));
            canvas.into_picture().grey
        };
        assert_eq!(drawn([2.0, 0.0, 0.0, -2.0, 0.0, 2.0]), [10, 20, 30, 40]);
        assert_eq!(drawn([2.0, 0.0, 0.0, 2.0, 0.0, 0.0]), [30, 40, 10, 20]);
        assert_eq!(drawn([1.0, 0.0, 0.0, -1.0, 1.0, 1.0]), [255, 25, 255, 255]);
        assert_eq!(drawn([0.0; 6]), [255; 4]);
    }

    #[test]
    fn a_matrix_and_its_inverse_cancel_out() {
        let matrix = Matrix::new([2.0, 1.0, -0.5, 3.0, 7.0, -4.0]);
        let back = matrix.then(&inverse(&matrix).unwrap());
        let (x, y) = back.apply(3.0, 5.0);
        assert!((x - 3.0).abs() < 1e-9 && (y - 5.0).abs() < 1e-9);
    }
}
