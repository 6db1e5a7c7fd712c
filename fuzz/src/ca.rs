//! What has to hold of Channel Access whatever the bytes: a message is none before it is whole,
//! and means the same when it is written again. Used by the fuzz target and, on its seeds, by
//! `tests/fuzz_seeds.rs`.

use onrush::wire::ca::{Message, Reply, Request, Update, Value};

/// Reads `data` as a stream of messages of either end; gives how many there were.
///
/// # Panics
/// Where a message depends on how it was cut, or changes its meaning when written again.
pub(crate) fn check_messages(data: &[u8]) -> usize {
    let mut rest = data;
    let mut count = 0;
    while let Ok(Some((length, message))) = Message::split(rest, 1 << 20) {
        for end in (0..length).step_by(1 + length / 64) {
            assert_eq!(Message::split(&rest[..end], 1 << 20), Ok(None), "{end} of {length}");
        }
        check_request(message);
        check_reply(message);
        if let Some((bytes, update)) = Update::read(rest) {
            assert_eq!(bytes, length, "an update of another length");
            let reply = Reply::read(message);
            assert!(matches!(reply, Reply::Update { subid, .. } if subid == update.subid));
        }
        rest = &rest[length..];
        count += 1;
    }
    count
}

fn check_request(message: Message<'_>) {
    let request = Request::read(message);
    let mut written = Vec::new();
    request.write(&mut written);
    let again = Message::split(&written, u32::MAX).expect("it is padded").expect("it is whole");
    assert_eq!(again.0, written.len());
    assert_eq!(Request::read(again.1), request);
}

fn check_reply(message: Message<'_>) {
    let reply = Reply::read(message);
    let mut written = Vec::new();
    reply.write(&mut written);
    let again = Message::split(&written, u32::MAX).expect("it is padded").expect("it is whole");
    assert_eq!(again.0, written.len());
    assert_eq!(Reply::read(again.1), reply);
    if let Reply::Update { data_type, count, data, .. } = reply
        && let Some(value) = Value::read(data_type, count, data)
    {
        let last = count.saturating_sub(1);
        let _ = (value.alarm(), value.stamp(), value.number(last), value.text(last));
    }
}
