//! What a worker may answer when a page was to be drawn: one picture, or why not.

use crate::exchange::{Broken, Outcome, head, parse, take};
use crate::protocol::{Drawn, Failed, Kind, SMALL};
use render::{Order, PagePicture};
use tokio::io::AsyncRead;

/// Hears the answer out. A picture has at most `most` bytes, and the size that was ordered.
pub(crate) async fn hear(output: &mut (impl AsyncRead + Unpin), order: &Order, most: u64) -> Result<Outcome, Broken> {
    let (kind, length) = head(output).await?;
    if length > SMALL {
        return Err(Broken::Untrue("more than it may say"));
    }
    let payload = take(output, length).await?;
    match kind {
        Kind::Failed => Ok(Outcome::Refused(parse::<Failed>(&payload)?.presentable())),
        Kind::Drawn => {
            let Drawn { width, height, length } = parse(&payload)?;
            let length = usize::try_from(length).ok().filter(|&length| length as u64 <= most);
            let png = take(output, length.ok_or(Broken::Untrue("more than it may say"))?).await?;
            let is_within = (1..=order.width.clamp(1, Order::WIDEST)).contains(&width) && height <= Order::HIGHEST;
            if !is_within || !begins_as_png(&png, width, height) {
                return Err(Broken::Untrue("a picture of another kind or size"));
            }
            Ok(Outcome::Drawn(PagePicture { width, height, png }))
        }
        _ => Err(Broken::Untrue("a wrong frame")),
    }
}

/// Whether these bytes begin as a PNG file of this size does: signature, then the header chunk (RFC 2083, sections 3.1
/// and 4.1.1). Browsers take it for nothing else then; what its pixels are is up to their own decoders.
fn begins_as_png(png: &[u8], width: u32, height: u32) -> bool {
    let rest =
        png.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR").and_then(|rest| rest.strip_prefix(&width.to_be_bytes()));
    height > 0 && rest.is_some_and(|rest| rest.starts_with(&height.to_be_bytes()))
}
