//! What a client says, as a server hears it.

use super::write::put;
use super::{
    Fault, Frame, Names, Order, PvRequest, Reader, Search, Sender, Type, TypeCache, command,
    message, sub, write_text,
};

/// A message from a client.
#[derive(Debug, Clone)]
pub enum FromClient<'a> {
    /// Who it is and what it can take.
    Validation {
        /// Bytes of its receive buffer.
        buffer: u32,
        /// How it says who it is: `anonymous`, or `ca` with user and host, or another.
        method: &'a str,
        /// For `ca`.
        user: &'a str,
        /// For `ca`.
        host: &'a str,
    },
    /// To be sent back.
    Echo(&'a [u8]),
    /// Who has these names?
    Search(Search<'a>),
    /// Open channels.
    Create(Names<'a>),
    /// Close a channel.
    Destroy {
        /// The server's number of it.
        sid: u32,
        /// The client's.
        cid: u32,
    },
    /// Prepare a request on a channel.
    Init {
        /// [`command::GET`], [`command::PUT`] or [`command::MONITOR`].
        command: u8,
        /// The channel.
        sid: u32,
        /// The request's number from now on.
        ioid: u32,
        /// What is wanted.
        request: PvRequest,
        /// Updates that may be sent before an acknowledgement, for a pipelined monitor.
        window: Option<u32>,
    },
    /// Do what was prepared: read, write what follows, start or stop.
    Operate {
        /// The command that it was prepared with.
        command: u8,
        /// The channel.
        sid: u32,
        /// The request.
        ioid: u32,
        /// Bits of [`sub`].
        sub: u8,
        /// For a put the bit set and the fields.
        body: Reader<'a>,
    },
    /// So many updates of a pipelined monitor were taken.
    Ack {
        /// The channel.
        sid: u32,
        /// The request.
        ioid: u32,
        /// How many.
        count: u32,
    },
    /// Forget a request.
    Forget {
        /// The channel.
        sid: u32,
        /// The request.
        ioid: u32,
    },
    /// What type has the channel?
    GetField {
        /// The channel.
        sid: u32,
        /// The request.
        ioid: u32,
        /// A part of it; empty for the whole.
        field: &'a str,
    },
    /// Anything else: the command.
    Other(u8),
}

impl<'a> FromClient<'a> {
    /// Reads a message that is not a control message.
    ///
    /// # Errors
    /// The message ends before, or breaks a limit.
    pub fn read(frame: &Frame<'a>, cache: &mut TypeCache) -> Result<Self, Fault> {
        let mut reader = Reader::new(frame.payload, frame.order);
        let reader = &mut reader;
        Ok(match frame.command {
            command::VALIDATION => read_validation(reader, cache)?,
            command::ECHO => Self::Echo(frame.payload),
            command::SEARCH => Self::Search(Search::read(*reader)?),
            command::CREATE_CHANNEL => Self::Create(Names::read(reader)?),
            command::DESTROY_CHANNEL => Self::Destroy { sid: reader.u32()?, cid: reader.u32()? },
            command::GET | command::PUT | command::MONITOR => {
                read_request(frame.command, reader, cache)?
            }
            command::DESTROY_REQUEST | command::CANCEL_REQUEST => {
                Self::Forget { sid: reader.u32()?, ioid: reader.u32()? }
            }
            command::GET_FIELD => {
                let (sid, ioid) = (reader.u32()?, reader.u32()?);
                Self::GetField { sid, ioid, field: reader.text()? }
            }
            other => Self::Other(other),
        })
    }

    /// Appends the message.
    pub fn write(&self, out: &mut Vec<u8>, order: Order) {
        let say = |out: &mut Vec<u8>, command, body: &dyn Fn(&mut Vec<u8>)| {
            message(out, order, Sender::Client, command, |out| body(out));
        };
        let pair = |out: &mut Vec<u8>, command, first: u32, second: u32| {
            message(out, order, Sender::Client, command, |out| {
                put(out, order, first);
                put(out, order, second);
            });
        };
        match *self {
            Self::Validation { buffer, method, user, host } => {
                say(out, command::VALIDATION, &|out| {
                    put(out, order, buffer);
                    put(out, order, REGISTRY);
                    put(out, order, 0u16);
                    write_text(out, order, method);
                    write_identity(out, order, method, user, host);
                });
            }
            Self::Echo(bytes) => say(out, command::ECHO, &|out| out.extend_from_slice(bytes)),
            Self::Search(search) => say(out, command::SEARCH, &|out| {
                let head = (search.sequence, search.reply_to);
                Search::write(out, order, head, search.must_reply, search.names.iter());
            }),
            Self::Create(names) => {
                names.iter().for_each(|(cid, name)| Self::write_create(out, order, cid, name));
            }
            Self::Destroy { sid, cid } => pair(out, command::DESTROY_CHANNEL, sid, cid),
            Self::Init { command, sid, ioid, ref request, window } => say(out, command, &|out| {
                let pipeline = window.map_or(0, |_| sub::PIPELINE);
                put(out, order, sid);
                put(out, order, ioid);
                out.push(sub::INIT | pipeline);
                request.write(out, order);
                if let Some(window) = window {
                    put(out, order, window);
                }
            }),
            Self::Operate { command, sid, ioid, sub, body } => {
                let head = (command, sid, ioid, sub);
                Self::write_operate(out, order, head, |out, _| out.extend_from_slice(body.rest()));
            }
            Self::Ack { sid, ioid, count } => say(out, command::MONITOR, &|out| {
                put(out, order, sid);
                put(out, order, ioid);
                out.push(sub::PIPELINE);
                put(out, order, count);
            }),
            Self::Forget { sid, ioid } => pair(out, command::DESTROY_REQUEST, sid, ioid),
            Self::GetField { sid, ioid, field } => say(out, command::GET_FIELD, &|out| {
                put(out, order, sid);
                put(out, order, ioid);
                write_text(out, order, field);
            }),
            Self::Other(command) => say(out, command, &|_| {}),
        }
    }

    /// Appends what [`FromClient::Operate`] says, of command, sid, ioid and subcommand; `body`
    /// appends what a put writes.
    #[inline]
    pub fn write_operate(
        out: &mut Vec<u8>,
        order: Order,
        (command, sid, ioid, sub): (u8, u32, u32, u8),
        body: impl FnOnce(&mut Vec<u8>, Order),
    ) {
        message(out, order, Sender::Client, command, |out| {
            put(out, order, sid);
            put(out, order, ioid);
            out.push(sub);
            body(out, order);
        });
    }

    /// Appends a message that opens a channel: servers take one at a time.
    pub fn write_create(out: &mut Vec<u8>, order: Order, cid: u32, name: &str) {
        message(out, order, Sender::Client, command::CREATE_CHANNEL, |out| {
            put(out, order, 1u16);
            put(out, order, cid);
            write_text(out, order, name);
        });
    }
}

/// Types that a peer may tell us on a circuit.
pub(super) const REGISTRY: u16 = 0x7fff;

const WITH_IDENTITY: &str = "ca";

fn write_identity(out: &mut Vec<u8>, order: Order, method: &str, user: &str, host: &str) {
    match Type::structure("", vec![("user", Type::Text), ("host", Type::Text)]) {
        Ok(kind) if method == WITH_IDENTITY => {
            kind.write(out, order);
            write_text(out, order, user);
            write_text(out, order, host);
        }
        _ => out.push(0xff),
    }
}

fn read_validation<'a>(
    reader: &mut Reader<'a>,
    cache: &mut TypeCache,
) -> Result<FromClient<'a>, Fault> {
    let buffer = reader.u32()?;
    reader.u16()?;
    reader.u16()?;
    let method = reader.text()?;
    let (mut user, mut host) = ("", "");
    if let Some(Type::Structure(inner)) = Type::read(reader, cache)? {
        for field in &inner.fields {
            match (&field.kind, field.name.as_str()) {
                (Type::Text, "user") => user = reader.text()?,
                (Type::Text, "host") => host = reader.text()?,
                (kind, _) => kind.skip(reader, cache)?,
            }
        }
    }
    Ok(FromClient::Validation { buffer, method, user, host })
}

fn read_request<'a>(
    command: u8,
    reader: &mut Reader<'a>,
    cache: &mut TypeCache,
) -> Result<FromClient<'a>, Fault> {
    let (sid, ioid, sub) = (reader.u32()?, reader.u32()?, reader.u8()?);
    let pipelined = command == command::MONITOR && sub & sub::PIPELINE != 0;
    if sub & sub::INIT != 0 {
        let request = PvRequest::read(reader, cache)?;
        let window = if pipelined { Some(reader.u32()?) } else { None };
        return Ok(FromClient::Init { command, sid, ioid, request, window });
    }
    if pipelined {
        return Ok(FromClient::Ack { sid, ioid, count: reader.u32()? });
    }
    Ok(FromClient::Operate { command, sid, ioid, sub, body: *reader })
}
