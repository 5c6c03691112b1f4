//! Pages drawn by real workers: as they should be, from damaged files, and by workers that were taken over.

use crate::common::{one_worker, pool, test, text};
use confine::{Allowance, Order, PagePicture, Pool, ReadFailure, RefusalKind, Settings, Source};
use extract::Format;
use libtest_mimic::Trial;
use std::time::Duration;

pub fn tests() -> Vec<Trial> {
    vec![
        test("a_page_is_drawn_where_nothing_can_be_touched", page),
        test("what_cannot_be_drawn_is_refused_with_a_sentence", refusals),
        test("mutated_pdf_files_cost_a_picture_each_at_most", mutated),
        test("a_worker_that_draws_what_cannot_be_is_ended", untrue),
    ]
}

const SAMPLE: &[u8] = include_bytes!("../../../../tests/samples/safety/quay-safety-rules.pdf");

fn order(page: u32, width: u32) -> Order {
    Order { format: Format::Pdf, page, width }
}

async fn draw(pool: &Pool, name: &str, bytes: &[u8], order: Order) -> Result<PagePicture, ReadFailure> {
    pool.draw(name, Source::Bytes(bytes), order).await
}

async fn page() {
    let pool = pool(one_worker());
    let picture = draw(&pool, "a.pdf", SAMPLE, order(1, 500)).await.unwrap();
    assert_eq!(picture.width, 500);
    assert!(picture.height > 500, "it stands upright: {}", picture.height);
    let pixels = image::load_from_memory(&picture.png).unwrap().into_luma8();
    assert_eq!(pixels.dimensions(), (picture.width, picture.height));
    let dark = pixels.pixels().filter(|pixel| pixel.0[0] < 128).count();
    assert!((100..pixels.len() / 4).contains(&dark), "dark letters on white paper: {dark}");
    // The same worker reads on.
    assert_eq!(text(&pool, "a.txt", "Next.").await, "Next.");
}

async fn refusals() {
    let pool = pool(one_worker());
    let refused = async |bytes: &[u8], order| match draw(&pool, "a", bytes, order).await.unwrap_err() {
        ReadFailure::Refused(refusal) => refusal.kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(SAMPLE, order(4000, 500)).await, RefusalKind::NoPage);
    assert_eq!(refused(SAMPLE, order(0, 500)).await, RefusalKind::NoPage);
    assert_eq!(refused(b"%PDF-1.7 and no more", order(1, 500)).await, RefusalKind::Damaged);
    let text = Order { format: Format::Html, ..order(1, 500) };
    assert_eq!(refused(b"<p>Markup is never drawn.</p>", text).await, RefusalKind::UnknownKind);
    let small = Pool::new(crate::common::role("read-documents"), Settings { output_bytes: 100, ..one_worker() });
    let failure = draw(&small, "a.pdf", SAMPLE, order(1, 500)).await.unwrap_err();
    assert!(matches!(&failure, ReadFailure::Refused(refusal) if refusal.kind == RefusalKind::TooLarge), "{failure:?}");
}

/// Bytes changed, cut out and repeated, from a fixed beginning: the same files each time.
async fn mutated() {
    let few_seconds = Allowance { base: Duration::from_secs(20), per_mib: Duration::ZERO };
    let pool = pool(Settings { wall: few_seconds, cpu: few_seconds, ..one_worker() });
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut drawn = 0;
    for _ in 0..60 {
        let mut bytes = SAMPLE.to_vec();
        for _ in 0..=next(12) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = u8::try_from(next(256)).unwrap(),
                1 => bytes[at] ^= 1 << next(8),
                2 => drop(bytes.drain(at..(at + next(40)).min(SAMPLE.len() / 2).max(at))),
                _ => bytes.splice(at..at, *b" 99999999999 [[[[ << /Kids 1 0 R >> ").for_each(drop),
            }
        }
        match draw(&pool, "m.pdf", &bytes, order(1, 300)).await {
            Ok(picture) => {
                drawn += 1;
                assert!(picture.width <= 300 && picture.height <= Order::HIGHEST);
            }
            Err(failure) => assert!(!failure.may_pass(), "{failure:?}"),
        }
    }
    assert!(drawn > 0, "some of them still show something");
    draw(&pool, "a.pdf", SAMPLE, order(1, 300)).await.unwrap();
}

async fn untrue() {
    let pool = pool(one_worker());
    for name in ["a picture wider than ordered", "no picture", "a picture of another size"] {
        let failure = draw(&pool, name, b"x", order(1, 10)).await.unwrap_err();
        assert!(failure.to_string().contains("a picture of another kind or size"), "{name}: {failure:?}");
        assert!(!failure.may_pass());
    }
    draw(&pool, "a.pdf", SAMPLE, order(1, 100)).await.unwrap();
}
