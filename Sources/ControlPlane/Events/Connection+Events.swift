import ControlAPI
import NIOCore

/// Events between the answers.
extension Connection {
    /// Sends events from now on, or other kinds of them than before.
    func subscribe(_ kinds: Set<Event.Kind>) {
        if subscription != nil { environment.ledger.unsubscribe() }
        subscription = Subscription(kinds, unread: subscription?.unread ?? 0)
        environment.subscribers.add(self)
    }

    func unsubscribe() {
        guard subscription != nil else { return }
        subscription = nil
        waiting = []
        environment.subscribers.remove(self)
        environment.ledger.unsubscribe()
    }

    /// Sends an event if the client wants it and has read most of those before.
    func send(_ event: Event, _ line: ByteBuffer) {
        guard let context, let present = subscription, present.kinds.contains(event.kind) else { return }
        guard present.unread + line.readableBytes <= Subscription.most else {
            subscription?.lost += 1
            return
        }
        if present.lost > 0 {
            var notice = Event(.lost, level: "warning", "events were left out, as this client did not read them in time: \(present.lost)")
            (notice.time, notice.count) = (event.time, present.lost)
            subscription?.lost = 0
            deliver(Subscription.line(notice), context)
        }
        deliver(line, context)
    }

    /// An answer that is on its way is not interrupted.
    private func deliver(_ line: ByteBuffer, _ context: ChannelHandlerContext) {
        subscription?.unread += line.readableBytes
        if isAnswering { waiting.append(line) } else { write(line, context) }
    }

    func deliverWaiting(_ context: ChannelHandlerContext) {
        let lines = waiting
        waiting = []
        for line in lines { write(line, context) }
    }

    private func write(_ line: ByteBuffer, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(line)).whenSuccess {
            bound.value.subscription?.unread -= line.readableBytes
            bound.value.lastActive = .now()
        }
    }
}
