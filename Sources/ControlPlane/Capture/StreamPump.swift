import ControlAPI
import Dispatch
import NIOCore
import Synchronization

/// Takes a stream's bytes to its client. As long as the client has not read most of what it was sent, no more are taken, so that they wait where they come
/// from.
final class StreamPump: Sendable {
    /// The most bytes on their way to the client.
    private static let most = 1 << 20
    /// How often the stream is asked for more.
    private static let interval = DispatchTimeInterval.milliseconds(10)

    let stream: any AnswerStream
    private let target: NIOLoopBound<(Connection, ChannelHandlerContext)>
    private let eventLoop: any EventLoop
    private let queue = DispatchQueue(label: "stream", qos: .utility)
    private let unread = Atomic<Int>(0)
    private let isCancelled = Atomic<Bool>(false)

    /// It must be made on the connection's event loop.
    init(_ stream: any AnswerStream, _ connection: Connection, _ context: ChannelHandlerContext) {
        self.stream = stream
        eventLoop = context.eventLoop
        target = NIOLoopBound((connection, context), eventLoop: context.eventLoop)
    }

    /// Whether the client has still to read some of what it was sent.
    var hasUnread: Bool { unread.load(ordering: .relaxed) > 0 }

    func start() { queue.async { self.advance() } }

    /// Takes nothing more.
    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    private func advance() {
        while !isCancelled.load(ordering: .relaxed), unread.load(ordering: .relaxed) < Self.most {
            switch stream.next() {
            case .nothing: return again()
            case .bytes(let bytes): send(ByteBuffer(bytes: bytes), isLast: false)
            case .end(let bytes): return send(ByteBuffer(bytes: bytes), isLast: true)
            }
        }
        if !isCancelled.load(ordering: .relaxed) { again() }
    }

    private func again() { queue.asyncAfter(deadline: .now() + Self.interval) { self.advance() } }

    private func send(_ bytes: ByteBuffer, isLast: Bool) {
        let count = bytes.readableBytes
        unread.add(count, ordering: .relaxed)
        eventLoop.execute { [self] in
            let (connection, context) = target.value
            guard context.channel.isActive else { return }
            connection.pass(bytes, context).whenComplete { [self] _ in
                unread.subtract(count, ordering: .relaxed)
                target.value.0.lastActive = .now()
                if isLast { target.value.1.close(promise: nil) }
            }
        }
    }
}

extension Connection {
    /// Stops the stream, if there is one. What it still has is sent.
    func stopStream() { if let pump { environment.stop(pump.stream) } }

    fileprivate func pass(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) -> EventLoopFuture<Void> { context.writeAndFlush(wrapOutboundOut(bytes)) }
}
