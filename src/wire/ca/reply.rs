//! What a server says.

use std::net::Ipv4Addr;

use super::header::{Header, Message, text_of, u16_at};
use super::{Status, command};

/// A message from a server, on a circuit or in a datagram. Data are as their DBR type lays them
/// out: see [`Value`](super::Value).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// First on each circuit, and in each datagram that answers one.
    Version {
        /// Of a datagram: 1 where the sequence number counts.
        priority: u16,
        /// Minor version of the protocol.
        minor: u16,
        /// That of the datagram that is answered.
        sequence: u32,
    },
    /// The name is here.
    Found {
        /// As in the request.
        id: u32,
        /// The server's TCP port.
        port: u16,
        /// The server's address; `None`: that of the sender.
        address: Option<Ipv4Addr>,
        /// Minor version of the protocol; `None` where the answer comes on a circuit.
        minor: Option<u16>,
    },
    /// The name is not here; only for who asked to be told.
    NotFound {
        /// As in the request.
        id: u32,
        /// Minor version of the protocol.
        minor: u16,
    },
    /// What may be done with a channel.
    AccessRights {
        /// The client's name for the channel.
        cid: u32,
        /// It may be read.
        read: bool,
        /// It may be written.
        write: bool,
    },
    /// A channel is open.
    CreateChannel {
        /// The client's name for the channel.
        cid: u32,
        /// The server's.
        sid: u32,
        /// The type that it has by nature: a plain DBR type, 0 to 6.
        data_type: u16,
        /// Elements that it has at most.
        count: u32,
    },
    /// No channel: the name is not here.
    CreateFailed {
        /// The client's name for the channel.
        cid: u32,
    },
    /// A channel is closed because the name is gone.
    ServerDisconnect {
        /// The client's name for the channel.
        cid: u32,
    },
    /// A subscription's value.
    Update {
        /// The DBR type of the data.
        data_type: u16,
        /// Elements of the data.
        count: u32,
        /// Whether it worked.
        status: Status,
        /// The subscription.
        subid: u32,
        /// The data.
        data: &'a [u8],
    },
    /// A subscription is over.
    Cancelled {
        /// As subscribed.
        data_type: u16,
        /// The channel.
        sid: u32,
        /// The subscription.
        subid: u32,
    },
    /// A value that was asked for.
    ReadNotify {
        /// The DBR type of the data.
        data_type: u16,
        /// Elements of the data.
        count: u32,
        /// Whether it worked.
        status: Status,
        /// As in the request.
        ioid: u32,
        /// The data.
        data: &'a [u8],
    },
    /// A value was written, or not.
    WriteNotify {
        /// As in the request.
        data_type: u16,
        /// As in the request.
        count: u32,
        /// Whether it worked.
        status: Status,
        /// As in the request.
        ioid: u32,
    },
    /// A channel is closed, as asked.
    ClearChannel {
        /// The channel.
        sid: u32,
        /// The client's name for it.
        cid: u32,
    },
    /// A request failed.
    Error {
        /// The client's name for the channel; all ones where there is none.
        cid: u32,
        /// Why.
        status: Status,
        /// The header of the request.
        request: Header,
        /// Why, for people.
        text: &'a [u8],
    },
    /// Yes, somebody is there.
    Echo,
    /// A server is there (a datagram).
    Beacon {
        /// Minor version of the protocol.
        minor: u16,
        /// The server's TCP port.
        port: u16,
        /// Grows by one with each.
        number: u32,
        /// The server's address; `None`: that of the sender.
        address: Option<Ipv4Addr>,
    },
    /// Anything else.
    Unknown(Message<'a>),
}

/// The address of a search's answer that stands for its sender's.
const OF_SENDER: u32 = u32::MAX;
/// What stands in the data type of [`Reply::NotFound`].
const REPLY_IF_MISSING: u16 = 10;

impl<'a> Reply<'a> {
    /// What `message` says.
    #[inline]
    pub fn read(message: Message<'a>) -> Self {
        let Message { header, payload } = message;
        let Header { data_type, count, p1, p2, .. } = header;
        let status = Status(p1);
        match header.command {
            // Without data it is no update, and p1 is no status.
            command::EVENT_ADD if payload.is_empty() => {
                Self::Cancelled { data_type, sid: p1, subid: p2 }
            }
            command::EVENT_ADD => {
                Self::Update { data_type, count, status, subid: p2, data: payload }
            }
            command::READ_NOTIFY => {
                Self::ReadNotify { data_type, count, status, ioid: p2, data: payload }
            }
            command::WRITE_NOTIFY => Self::WriteNotify { data_type, count, status, ioid: p2 },
            command::VERSION => {
                Self::Version { priority: data_type, minor: count as u16, sequence: p1 }
            }
            command::SEARCH => Self::Found {
                id: p2,
                port: data_type,
                address: (p1 != OF_SENDER).then(|| p1.into()),
                minor: (payload.len() >= 2).then(|| u16_at(payload, 0)),
            },
            command::NOT_FOUND => Self::NotFound { id: p2, minor: count as u16 },
            command::ACCESS_RIGHTS => {
                Self::AccessRights { cid: p1, read: p2 & 1 != 0, write: p2 & 2 != 0 }
            }
            command::CREATE_CHANNEL => Self::CreateChannel { cid: p1, sid: p2, data_type, count },
            command::CREATE_FAILED => Self::CreateFailed { cid: p1 },
            command::SERVER_DISCONNECT => Self::ServerDisconnect { cid: p1 },
            command::CLEAR_CHANNEL => Self::ClearChannel { sid: p1, cid: p2 },
            command::ECHO => Self::Echo,
            command::BEACON => Self::Beacon {
                minor: data_type,
                port: count as u16,
                number: p1,
                address: (p2 != 0).then(|| p2.into()),
            },
            command::ERROR => match Header::read(payload) {
                Some((length, request)) => {
                    let text = text_of(&payload[length..]);
                    Self::Error { cid: p1, status: Status(p2), request, text }
                }
                None => Self::Unknown(message),
            },
            _ => Self::Unknown(message),
        }
    }

    /// Appends the message.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let header = self.header();
        match *self {
            Self::Update { data, .. } | Self::ReadNotify { data, .. } => {
                Message::write(header, data, out);
            }
            Self::Found { minor: Some(minor), .. } => {
                Message::write(header, &minor.to_be_bytes(), out);
            }
            Self::Error { request, text, .. } => {
                let mut payload = Vec::with_capacity(Header::EXTENDED_BYTES + text.len());
                request.write(&mut payload);
                payload.extend_from_slice(text);
                Message::write_text(header, &payload, out);
            }
            Self::Unknown(message) => Message::write(header, message.payload, out),
            _ => header.write(out),
        }
    }

    /// The header; its payload size is yet to be said.
    #[inline]
    pub fn header(&self) -> Header {
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
            Self::Found { id, port, address, .. } => {
                of(command::SEARCH, port, 0, address.map_or(OF_SENDER, u32::from), id)
            }
            Self::NotFound { id, minor } => {
                of(command::NOT_FOUND, REPLY_IF_MISSING, minor.into(), id, id)
            }
            Self::AccessRights { cid, read, write } => {
                of(command::ACCESS_RIGHTS, 0, 0, cid, u32::from(read) | u32::from(write) << 1)
            }
            Self::CreateChannel { cid, sid, data_type, count } => {
                of(command::CREATE_CHANNEL, data_type, count, cid, sid)
            }
            Self::CreateFailed { cid } => of(command::CREATE_FAILED, 0, 0, cid, 0),
            Self::ServerDisconnect { cid } => of(command::SERVER_DISCONNECT, 0, 0, cid, 0),
            Self::Update { data_type, count, status, subid, .. } => {
                of(command::EVENT_ADD, data_type, count, status.0, subid)
            }
            Self::Cancelled { data_type, sid, subid } => {
                of(command::EVENT_ADD, data_type, 0, sid, subid)
            }
            Self::ReadNotify { data_type, count, status, ioid, .. } => {
                of(command::READ_NOTIFY, data_type, count, status.0, ioid)
            }
            Self::WriteNotify { data_type, count, status, ioid } => {
                of(command::WRITE_NOTIFY, data_type, count, status.0, ioid)
            }
            Self::ClearChannel { sid, cid } => of(command::CLEAR_CHANNEL, 0, 0, sid, cid),
            Self::Error { cid, status, .. } => of(command::ERROR, 0, 0, cid, status.0),
            Self::Echo => of(command::ECHO, 0, 0, 0, 0),
            Self::Beacon { minor, port, number, address } => {
                let address = address.map_or(0, u32::from);
                of(command::BEACON, minor, port.into(), number, address)
            }
            Self::Unknown(message) => message.header,
        }
    }
}
