//! [`Feed`]: a chain of GStreamer's elements, fed by whoever calls.
//!
//! Buffers go into the first element on the caller's own thread, with no queue between: a chain of
//! elements that have no thread is done with a buffer when the call returns, and one that has holds
//! the caller up while it is busy. Nothing piles up.

use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

/// The chain. Its last element is a sink that waits for no clock.
#[derive(Debug)]
pub(crate) struct Feed {
    pipeline: gst::Pipeline,
    pad: gst::Pad,
}

impl Feed {
    /// Links the elements and starts them, for what has these caps.
    pub(crate) fn open(chain: &[gst::Element], caps: &gst::Caps) -> Result<Self, String> {
        let feed = Self::open_later(chain)?;
        feed.begin(caps);
        Ok(feed)
    }

    /// Links the elements and starts them; [`Feed::begin`] has to come before the first buffer.
    pub(crate) fn open_later(chain: &[gst::Element]) -> Result<Self, String> {
        let words = |error: gst::glib::BoolError| error.to_string();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many(chain).map_err(words)?;
        gst::Element::link_many(chain).map_err(words)?;
        let into = chain.first().and_then(entrance);
        let into = into.ok_or("the first element takes nothing")?;
        let pad = gst::Pad::builder(gst::PadDirection::Src)
            .query_function(answer)
            .build();
        pad.set_active(true).map_err(words)?;
        let linked = pad.link(&into);
        linked.map_err(|error| format!("the first element cannot be linked: {error}"))?;
        let feed = Self { pipeline, pad };
        let started = feed.pipeline.set_state(gst::State::Playing);
        started.map_err(|_| feed.problem("it does not start"))?;
        feed.send(gst::event::StreamStart::new("fed"));
        Ok(feed)
    }

    /// What comes from now on has these caps.
    pub(crate) fn begin(&self, caps: &gst::Caps) {
        self.send(gst::event::Caps::new(caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.send(gst::event::Segment::new(&segment));
    }

    /// Hands over a buffer.
    ///
    /// # Errors
    /// In words; the chain is of no more use.
    pub(crate) fn push(&self, buffer: gst::Buffer) -> Result<(), String> {
        match self.pad.push(buffer) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.problem(&format!("it takes no more: {error}"))),
        }
    }

    /// Hands over an event.
    pub(crate) fn send(&self, event: gst::Event) {
        // It fails where the next buffer does, and that is told.
        let _ = self.pad.push_event(event);
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.send(gst::event::Eos::new());
    }

    /// Waits until all has reached the sink; a chain that never gets there is a child that stands
    /// still.
    pub(crate) fn wait_for_end(&self) {
        if let Some(bus) = self.pipeline.bus() {
            let ends = [gst::MessageType::Eos, gst::MessageType::Error];
            bus.timed_pop_filtered(gst::ClockTime::NONE, &ends);
        }
    }

    /// What an element said last, or else these words.
    fn problem(&self, words: &str) -> String {
        let bus = self.pipeline.bus();
        let message = bus.and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        match message.as_ref().map(|message| message.view()) {
            Some(gst::MessageView::Error(error)) => error.error().to_string(),
            _ => words.to_owned(),
        }
    }
}

/// The end of a chain whose output the caller takes, with [`taken`]. It waits for no clock, and the end
/// does not wait for what is taken after it.
pub(crate) fn sink() -> gst_app::AppSink {
    let sink = gst_app::AppSink::builder()
        .sync(false)
        .wait_on_eos(false)
        .build();
    sink.set_property("async", false);
    sink
}

/// What has come out by now.
pub(crate) fn taken(sink: &gst_app::AppSink) -> impl Iterator<Item = gst::Sample> {
    std::iter::from_fn(|| sink.try_pull_sample(gst::ClockTime::ZERO))
}

/// Where an element takes something; some have as many places as one asks for.
fn entrance(element: &gst::Element) -> Option<gst::Pad> {
    let pad = element.static_pad("sink");
    pad.or_else(|| element.request_pad_simple("sink_%u"))
}

/// What is fed comes with no delay that one could tell.
fn answer(pad: &gst::Pad, parent: Option<&gst::Object>, query: &mut gst::QueryRef) -> bool {
    if let gst::QueryViewMut::Latency(latency) = query.view_mut() {
        latency.set(false, gst::ClockTime::ZERO, gst::ClockTime::NONE);
        return true;
    }
    gst::Pad::query_default(pad, parent, query)
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

pub(crate) fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(time.as_nanos()).unwrap_or_default())
}
