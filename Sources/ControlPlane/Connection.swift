import ControlAPI
import Dispatch
import Foundation
import NIOCore

/// One client of the control socket. It is used only on its event loop.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Environment: Sendable {
        let queue: DispatchQueue
        /// A queue where long requests and documents are read, one after the other.
        let documents: DispatchQueue
        let work: DispatchGroup
        let clients: Clients
        let subscribers: Subscribers
        let ledger: Ledger
        let handler: QueuedHandler
        let obstacle: ControlServer.Obstacle

        /// Streams are used where the handler runs.
        func stop(_ stream: any AnswerStream) { queue.async { stream.stop() } }
        func close(_ stream: any AnswerStream) { queue.async { stream.close() } }
    }

    private enum State {
        /// The connection waits for a whole line.
        case reading
        /// A request is with the handler, and nothing more is read until it is answered.
        case working
        /// The answer is on its way, and nothing more is read until the client has taken it.
        case answering
        /// The last answer was an error that ends the connection; what the client still sends is thrown away.
        case refusing
        /// A stream follows the last answer. Whatever the client sends, or the end of what it sends, ends the stream.
        case streaming
    }

    /// Requests of up to this many bytes are parsed on the event loop, which holds up the other clients for as long; longer ones on the queue `documents`.
    private static let mostAtOnce = 64 << 10
    /// Answers are written in pieces of this many bytes. A client that takes one within a second is not idle.
    private static let piece = 256 << 10

    let environment: Environment
    private(set) var context: ChannelHandlerContext?
    /// The events that the client wants; nil: none.
    var subscription: Subscription?
    /// The stream that follows the answer; nil: none does.
    var pump: StreamPump?
    /// Events that come behind the answer that is on its way.
    var waiting: [ByteBuffer] = []
    /// When the client connected, completed a line, was answered, or took a piece of its answer. Single bytes do not count, so a client that sends or reads one
    /// now and then is idle as well.
    var lastActive = NIODeadline.now()
    private var state = State.reading
    private var pending = ByteBuffer()
    /// The number of bytes of `pending` that are known to contain no line feed.
    private var searched = 0
    private var peer: Peer?
    /// The number of bytes of the request that is being carried out.
    private var taken = 0
    private var hasEntered = false
    private var isLingering = false
    private var inputEnded = false
    private var isAdvancing = false
    /// The requests of the line that is being carried out; nil: there is none.
    private var job: Job?
    private var isWatching = false
    /// An error that ends the connection once the client has taken the answer that is on its way.
    private var refusal: RPCError?
    /// How many more bytes are taken from a client that was refused, so that it can read why.
    private var patience = 1 << 30

    init(_ environment: Environment) { self.environment = environment }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        peer = (try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { Peer(socket: $0) }) ?? nil
        lastActive = .now()
        hasEntered = environment.ledger.enter() || environment.clients.makeRoom(environment.ledger) && environment.ledger.enter()
        isLingering = !hasEntered && environment.ledger.linger()
        if hasEntered {
            environment.clients.add(self)
        } else if !isLingering {
            // So many are being told already that this one is not.
            state = .refusing
            context.close(promise: nil)
        } else {
            refuse(context, RPCError(RPCError.failed, "there are \(environment.ledger.limits.clients) clients already: try again later"))
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        if let pump {
            pump.cancel()
            environment.close(pump.stream)
        }
        pump = nil
        if isLingering { environment.ledger.stopLingering() }
        isLingering = false
        self.context = nil
        job = nil
        pending = ByteBuffer()
        searched = 0
        context.fireChannelInactive()
    }

    private func leave() {
        guard hasEntered else { return }
        hasEntered = false
        environment.clients.remove(self)
        unsubscribe()
        environment.ledger.leave(holding: pending.readableBytes)
    }

    /// Whether no request of the client is being carried out. A client that does not take its answer or its events, or has been refused, is as idle as one that
    /// asks nothing.
    var isIdle: Bool { if case .working = state { false } else if let pump { pump.hasUnread } else { subscription.map { $0.unread > 0 } ?? true } }

    /// Whether the client has an answer to take.
    var isAnswering: Bool { if case .answering = state { true } else { false } }

    /// Closes the connection so that another client can be served.
    /// - Parameter why: what the client is told, unless it has not taken its last answer yet; nil: that there are as many clients as are allowed.
    func giveWay(_ why: String? = nil) {
        guard let context else { return }
        guard case .reading = state else {
            leave()
            context.close(promise: nil)
            return
        }
        let seconds = (NIODeadline.now() - lastActive).nanoseconds / 1_000_000_000
        let limit = environment.ledger.limits.clients
        let sentence = "closed to let another client in: there are \(limit), and this one was idle the longest, for \(seconds) s; connect again"
        empty()
        // The client can read the answer even after the socket is closed, as no unread bytes of its own are left in it.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        write(context, Response.failure(RPCError(RPCError.failed, why ?? sentence)).encoded(id: .null)).whenComplete { _ in bound.value.close(promise: nil) }
        leave()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if case .refusing = state { discard(context, bytes.readableBytes); return }
        if case .streaming = state { stopStream(); return }
        if refusal != nil { discard(context, bytes.readableBytes); return }
        let limits = environment.ledger.limits
        let count = bytes.readableBytes
        // Complete lines that are still unread are not part of the next request, but the sum is limited all the same.
        if pending.readableBytes + count > limits.maximumRequest + 65_536 {
            refuseSize(context)
            discard(context, count)
            return
        }
        guard environment.ledger.hold(count, besides: pending.readableBytes + taken) else {
            refuse(context, RPCError(RPCError.failed, "too much is being sent at once: try again later"))
            discard(context, count)
            return
        }
        pending.writeBuffer(&bytes)
        advance(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            inputEnded = true
            switch state {
            case .refusing: context.close(promise: nil)
            case .streaming: stopStream()
            default: advance(context)
            }
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Such an error means that the client has gone away.
        context.close(promise: nil)
    }

    // MARK: Lines

    /// Takes up the next whole line if no request is being carried out. An answer that is written at once calls `resume`, which leaves the next line to the
    /// loop below instead of calling this again: a client may have sent any number of lines, and each call would take more of the stack.
    private func advance(_ context: ChannelHandlerContext) {
        if isAdvancing { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while case .reading = state {
            guard let (line, length) = nextLine() else {
                if pending.readableBytes > environment.ledger.limits.maximumRequest {
                    refuseSize(context)
                } else if inputEnded, subscription == nil {
                    context.close(promise: nil)
                }
                return
            }
            // The bytes count as long as the request is in memory, which may be longer than this connection is.
            let share = Share(environment.ledger, requestBytes: length)
            if line.readableBytes > environment.ledger.limits.maximumRequest {
                refuseSize(context)
                return
            }
            let text = line.readableBytesView
            if text.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }) { continue }
            handle(context, Data(text), share)
        }
    }

    /// The next line, up to its line feed, and the number of bytes that it takes with that. The last line needs none once the client has closed its sending side.
    private func nextLine() -> (line: ByteBuffer, length: Int)? {
        let view = pending.readableBytesView
        if let end = view[(view.startIndex + searched)...].firstIndex(of: 0x0a) {
            let length = end - view.startIndex
            guard let line = pending.readSlice(length: length) else { return nil }
            pending.moveReaderIndex(forwardBy: 1)
            discardRead()
            return (line, length + 1)
        }
        searched = view.count
        guard inputEnded, !view.isEmpty, let line = pending.readSlice(length: view.count) else { return nil }
        discardRead()
        return (line, line.readableBytes)
    }

    private func discardRead() {
        searched = 0
        // Moving the remaining bytes to the front costs as much as there are, so it is done only when more bytes than that have been read.
        if pending.readableBytes == 0 {
            pending = ByteBuffer()
        } else if pending.readerIndex > max(pending.readableBytes, 65_536) {
            pending.discardReadBytes()
        }
    }

    private func handle(_ context: ChannelHandlerContext, _ line: Data, _ share: Share) {
        guard environment.ledger.begin(environment.work) else { context.close(promise: nil); return }
        // Nothing more is read before this request is answered; otherwise answers could pile up for a client that never reads them.
        state = .working
        taken = line.count
        lastActive = .now()
        guard line.count > Self.mostAtOnce else { begin(context, RequestLine(line), share); return }
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: eventLoop)
        environment.documents.async {
            let requests = RequestLine(line)
            eventLoop.execute {
                let (connection, context) = bound.value
                connection.begin(context, requests, share)
            }
        }
    }

    private func begin(_ context: ChannelHandlerContext, _ requests: RequestLine, _ share: Share) {
        let work = environment.work
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: eventLoop)
        let job = Job(requests)
        self.job = job
        let exchange = Exchange(requests, job, environment, peer, share) { answer in
            eventLoop.execute {
                let (connection, context) = bound.value
                if connection.job === job {
                    connection.finish(context, answer)
                } else {
                    connection.giveUp(answer)
                }
                work.leave()
            }
        }
        exchange.advance()
        watch(context)
    }

    /// Checks once a second whether the request that is being carried out can be carried out at all.
    private func watch(_ context: ChannelHandlerContext) {
        guard !isWatching else { return }
        isWatching = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .seconds(1)) {
            let (connection, context) = bound.value
            connection.isWatching = false
            guard let job = connection.job else { return }
            if job.isOld, let sentence = connection.environment.obstacle() {
                let share = Share(connection.environment.ledger)
                let text = job.giveUp(sentence)
                share.add(answerBytes: text?.count ?? 0)
                connection.finish(context, Exchange.Answer(text: text, share: share))
            }
            if connection.job != nil { connection.watch(context) }
        }
    }

    private func finish(_ context: ChannelHandlerContext, _ answer: Exchange.Answer) {
        job = nil
        taken = 0
        if answer.isRefused { environment.clients.closeThoseWhoDoNotRead(environment.ledger) }
        // A client that was refused meanwhile is told nothing more.
        guard context.channel.isActive, case .working = state else {
            giveUp(answer)
            return
        }
        if let stream = answer.stream { pump = StreamPump(stream, self, context) }
        if let kinds = answer.subscription { subscribe(kinds) }
        state = .answering
        lastActive = .now()
        guard let text = answer.text else { resume(context); return }
        send(context, ByteBuffer(bytes: text), answer.share)
    }

    /// Gives back what an answer has that is not sent.
    private func giveUp(_ answer: Exchange.Answer) {
        if answer.subscription != nil { environment.ledger.unsubscribe() }
        if let stream = answer.stream { environment.close(stream) }
    }

    /// Writes the next piece of an answer. The whole answer counts until the client has taken all of it, or has gone.
    private func send(_ context: ChannelHandlerContext, _ rest: ByteBuffer, _ share: Share) {
        var rest = rest
        guard let piece = rest.readSlice(length: min(Self.piece, rest.readableBytes)) else { return }
        let left = rest
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(piece)).whenSuccess {
            let (connection, context) = bound.value
            connection.lastActive = .now()
            if left.readableBytes > 0 { connection.send(context, left, share) } else { connection.resume(context) }
        }
    }

    private func resume(_ context: ChannelHandlerContext) {
        guard case .answering = state else { return }
        if let pump, refusal == nil {
            state = .streaming
            pump.start()
            if inputEnded { environment.stop(pump.stream) }
            context.read()
            return
        }
        if let refusal { return refuse(context, refusal) }
        state = .reading
        lastActive = .now()
        deliverWaiting(context)
        if isAdvancing { return }
        advance(context)
        context.read()
    }

    /// More bytes are read only when no request is being carried out, so that a client is slowed down by its own requests.
    func read(context: ChannelHandlerContext) {
        if case .working = state { return }
        if case .answering = state { return }
        context.read()
    }

    private func write(_ context: ChannelHandlerContext, _ answer: Data) -> EventLoopFuture<Void> {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer)))
    }

    // MARK: Refusing

    private func refuseSize(_ context: ChannelHandlerContext) {
        let most = environment.ledger.limits.maximumRequest
        let size = most % (1 << 20) == 0 ? "\(most >> 20) MiB" : "\(most) bytes"
        refuse(context, RPCError(RPCError.invalidRequest, "the request is larger than \(size), the most this socket takes"))
    }

    /// Answers with an error and ends the connection. What the client still sends is read and thrown away for a while, because closing the socket at once could
    /// lose the answer.
    private func refuse(_ context: ChannelHandlerContext, _ error: RPCError) {
        if case .answering = state, refusal == nil {
            refusal = error
            return
        }
        empty()
        _ = write(context, Response.failure(error).encoded(id: .null))
        context.close(mode: .output, promise: nil)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .seconds(10)) { bound.value.close(promise: nil) }
        if inputEnded { context.close(promise: nil) }
    }

    private func empty() {
        state = .refusing
        environment.ledger.release(pending.readableBytes)
        pending = ByteBuffer()
        searched = 0
    }

    private func discard(_ context: ChannelHandlerContext, _ count: Int) {
        patience -= count
        if patience < 0 { context.close(promise: nil) }
    }
}

extension Connection: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
}
