//! What a pvAccess stream has to keep to, whoever sends it.

use std::collections::HashMap;

use onrush::wire::pva::{Bits, Fault, Frames, FromClient, FromServer, Layout, Shape, TypeCache};

/// Reads `bytes` as a stream of either side, whole and in pieces of `piece`.
pub(crate) fn check(bytes: &[u8], piece: usize) {
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, piece.max(1)), whole, "cut into pieces of {piece}");
}

/// How many messages were read, and what ended it.
fn read(bytes: &[u8], piece: usize) -> (usize, Option<Fault>) {
    let (mut frames, mut count) = (Frames::default(), 0);
    let mut told = (TypeCache::default(), TypeCache::default());
    let mut shapes: HashMap<u32, Shape> = HashMap::new();
    for mut piece in bytes.chunks(piece) {
        loop {
            let frame = match frames.next(&mut piece) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(fault) => return (count, Some(fault)),
            };
            count += 1;
            let _ = FromClient::read(&frame, &mut told.0);
            match FromServer::read(&frame, &mut told.1) {
                Ok(FromServer::Init { ioid, kind: Some(kind), .. }) => {
                    shapes.insert(ioid, Shape::new(&kind));
                }
                Ok(FromServer::Data { ioid, mut body, .. }) => {
                    let (Some(shape), all) = (shapes.get(&ioid), body.rest()) else { continue };
                    let Ok(changed) = Bits::read(&mut body) else { continue };
                    let general = shape.sample(&changed, &mut body, &mut told.1);
                    let layout = Layout::new(shape, &changed, frame.order);
                    if let Some(fast) = layout.and_then(|layout| layout.sample(all, frame.order)) {
                        let general = general.expect("what a layout reads is a sample");
                        // Bits, since a value may be NaN.
                        assert_eq!(format!("{:?}", fast.value), format!("{:?}", general.value));
                        assert_eq!(fast.seconds, general.seconds);
                        assert_eq!(fast.nanoseconds, general.nanoseconds);
                    }
                }
                _ => {}
            }
        }
    }
    (count, None)
}
