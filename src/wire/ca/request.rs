//! What a client says.

use super::command;
use super::header::{Header, Message, u16_at};

/// A message from a client, on a circuit or in a datagram. Data are as their DBR type lays them
/// out: see [`Value`](super::Value).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// First on each circuit and in each datagram.
    Version {
        /// Of a circuit: 0 to 99. Of a datagram: 1 where the sequence number counts.
        priority: u16,
        /// Minor version of the protocol.
        minor: u16,
        /// Of a datagram; its answer repeats it.
        sequence: u32,
    },
    /// The user at the other end.
    ClientName(&'a [u8]),
    /// The host at the other end.
    HostName(&'a [u8]),
    /// Who has this name?
    Search {
        /// Chosen by the client.
        id: u32,
        /// Minor version of the protocol.
        minor: u16,
        /// Who does not have it says so, too.
        wants_miss: bool,
        /// The name.
        name: &'a [u8],
    },
    /// Opens a channel to a name.
    CreateChannel {
        /// Chosen by the client.
        cid: u32,
        /// Minor version of the protocol.
        minor: u16,
        /// The name.
        name: &'a [u8],
    },
    /// Subscribes.
    EventAdd {
        /// The DBR type that is wanted.
        data_type: u16,
        /// Elements that are wanted; 0: as many as there are.
        count: u32,
        /// The channel.
        sid: u32,
        /// Chosen by the client.
        subid: u32,
        /// What is of interest.
        mask: Mask,
    },
    /// Ends a subscription.
    EventCancel {
        /// As subscribed.
        data_type: u16,
        /// As subscribed.
        count: u32,
        /// The channel.
        sid: u32,
        /// The subscription.
        subid: u32,
    },
    /// Reads once.
    ReadNotify {
        /// The DBR type that is wanted.
        data_type: u16,
        /// Elements that are wanted; 0: as many as there are.
        count: u32,
        /// The channel.
        sid: u32,
        /// Chosen by the client.
        ioid: u32,
    },
    /// Writes; only a failure is answered.
    Write {
        /// The DBR type of the data.
        data_type: u16,
        /// Elements of the data.
        count: u32,
        /// The channel.
        sid: u32,
        /// Chosen by the client.
        ioid: u32,
        /// The data.
        data: &'a [u8],
    },
    /// Writes, and wants to know when that is done.
    WriteNotify {
        /// The DBR type of the data.
        data_type: u16,
        /// Elements of the data.
        count: u32,
        /// The channel.
        sid: u32,
        /// Chosen by the client.
        ioid: u32,
        /// The data.
        data: &'a [u8],
    },
    /// Closes a channel and ends its subscriptions.
    ClearChannel {
        /// The channel.
        sid: u32,
        /// The client's name for it.
        cid: u32,
    },
    /// No updates for now: the client cannot follow.
    EventsOff,
    /// Updates again.
    EventsOn,
    /// Is anybody there?
    Echo,
    /// Anything else.
    Unknown(Message<'a>),
}

/// Which changes are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mask(pub u16);

impl Mask {
    /// The value changed.
    pub const VALUE: Self = Self(1);
    /// The value changed enough to be archived.
    pub const LOG: Self = Self(2);
    /// The alarm changed.
    pub const ALARM: Self = Self(4);
    /// Limits, units and the like changed.
    pub const PROPERTY: Self = Self(8);

    /// Both kinds of changes.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a change of the value is of interest.
    pub const fn wants_values(self) -> bool {
        self.0 & (Self::VALUE.0 | Self::LOG.0) != 0
    }
}

/// In place of the data type of a search: misses are silent, or told.
const SILENT: u16 = 5;
const REPLY_IF_MISSING: u16 = 10;

/// Bytes of a subscription's payload: three unused floats, the mask, 2 bytes of padding.
const MASK_AT: usize = 12;

impl<'a> Request<'a> {
    /// What `message` says.
    #[inline]
    pub fn read(message: Message<'a>) -> Self {
        let Message { header, payload } = message;
        let Header { data_type, count, p1, p2, .. } = header;
        match header.command {
            command::VERSION => {
                Self::Version { priority: data_type, minor: count as u16, sequence: p1 }
            }
            command::CLIENT_NAME => Self::ClientName(message.text()),
            command::HOST_NAME => Self::HostName(message.text()),
            command::SEARCH => Self::Search {
                id: p1,
                minor: count as u16,
                wants_miss: data_type == REPLY_IF_MISSING,
                name: message.text(),
            },
            command::CREATE_CHANNEL => {
                Self::CreateChannel { cid: p1, minor: p2 as u16, name: message.text() }
            }
            command::EVENT_ADD if payload.len() > MASK_AT => {
                let mask = Mask(u16_at(payload, MASK_AT));
                Self::EventAdd { data_type, count, sid: p1, subid: p2, mask }
            }
            command::EVENT_CANCEL => Self::EventCancel { data_type, count, sid: p1, subid: p2 },
            command::READ_NOTIFY => Self::ReadNotify { data_type, count, sid: p1, ioid: p2 },
            command::WRITE => Self::Write { data_type, count, sid: p1, ioid: p2, data: payload },
            command::WRITE_NOTIFY => {
                Self::WriteNotify { data_type, count, sid: p1, ioid: p2, data: payload }
            }
            command::CLEAR_CHANNEL => Self::ClearChannel { sid: p1, cid: p2 },
            command::EVENTS_OFF => Self::EventsOff,
            command::EVENTS_ON => Self::EventsOn,
            command::ECHO => Self::Echo,
            _ => Self::Unknown(message),
        }
    }

    /// Appends the message.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let header = self.header();
        match *self {
            Self::ClientName(text) | Self::HostName(text) => Message::write_text(header, text, out),
            Self::Search { name, .. } | Self::CreateChannel { name, .. } => {
                Message::write_text(header, name, out);
            }
            Self::EventAdd { mask, .. } => {
                let mut payload = [0; 16];
                payload[MASK_AT..MASK_AT + 2].copy_from_slice(&mask.0.to_be_bytes());
                Message::write(header, &payload, out);
            }
            Self::Write { data, .. } | Self::WriteNotify { data, .. } => {
                Message::write(header, data, out);
            }
            Self::Unknown(message) => Message::write(header, message.payload, out),
            _ => header.write(out),
        }
    }

    /// The header; its payload size is yet to be said.
    fn header(&self) -> Header {
        let of = |command, data_type, count, p1, p2| Header {
            command,
            payload_bytes: 0,
            data_type,
            count,
            p1,
            p2,
        };
        match *self {
            Self::Version { priority, minor, sequence } => {
                of(command::VERSION, priority, minor.into(), sequence, 0)
            }
            Self::ClientName(_) => of(command::CLIENT_NAME, 0, 0, 0, 0),
            Self::HostName(_) => of(command::HOST_NAME, 0, 0, 0, 0),
            Self::Search { id, minor, wants_miss, .. } => {
                let reply = if wants_miss { REPLY_IF_MISSING } else { SILENT };
                of(command::SEARCH, reply, minor.into(), id, id)
            }
            Self::CreateChannel { cid, minor, .. } => {
                of(command::CREATE_CHANNEL, 0, 0, cid, minor.into())
            }
            Self::EventAdd { data_type, count, sid, subid, .. } => {
                of(command::EVENT_ADD, data_type, count, sid, subid)
            }
            Self::EventCancel { data_type, count, sid, subid } => {
                of(command::EVENT_CANCEL, data_type, count, sid, subid)
            }
            Self::ReadNotify { data_type, count, sid, ioid } => {
                of(command::READ_NOTIFY, data_type, count, sid, ioid)
            }
            Self::Write { data_type, count, sid, ioid, .. } => {
                of(command::WRITE, data_type, count, sid, ioid)
            }
            Self::WriteNotify { data_type, count, sid, ioid, .. } => {
                of(command::WRITE_NOTIFY, data_type, count, sid, ioid)
            }
            Self::ClearChannel { sid, cid } => of(command::CLEAR_CHANNEL, 0, 0, sid, cid),
            Self::EventsOff => of(command::EVENTS_OFF, 0, 0, 0, 0),
            Self::EventsOn => of(command::EVENTS_ON, 0, 0, 0, 0),
            Self::Echo => of(command::ECHO, 0, 0, 0, 0),
            Self::Unknown(message) => message.header,
        }
    }
}
