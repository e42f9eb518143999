import Dispatch
import Foundation
import Metrics
import NIOCore
import NIOHTTP1
import NIOPosix

/// Serves metrics by HTTP, on a thread of its own. Only the reading of the counters is done on the control queue.
package final class MetricsServer {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let channel: any Channel
    private let listener: MetricsListener
    private let reading: MetricsReading

    /// - Parameters:
    ///   - listener: a socket that listens; it belongs to the server from now on.
    ///   - reading: reads the counters.
    init(_ listener: MetricsListener, _ reading: MetricsReading) throws(ControlSocketError) {
        (self.listener, self.reading) = (listener, reading)
        let source = MetricsSource(reading)
        do {
            channel = try ServerBootstrap(group: group)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(IdleStateHandler(allTimeout: .seconds(60)))
                        try pipeline.configureHTTPServerPipeline()
                        try pipeline.addHandler(MetricsConnection(source))
                    }
                }
                .withBoundSocket(listener.descriptor)
                .wait()
        } catch {
            try? group.syncShutdownGracefully()
            listener.remove()
            throw ControlSocketError("metrics cannot be served at \(listener.address): \(error)")
        }
    }

    /// Ends all connections and removes the file of a Unix socket. It is called on the control queue, and does not wait for a reader.
    package func stop() {
        reading.end()
        channel.close(promise: nil)
        listener.remove()
        group.shutdownGracefully(queue: DispatchQueue.global(qos: .utility)) { _ in }
    }
}

/// Where the metrics come from. It is used only on the server's thread.
private final class MetricsSource: @unchecked Sendable {
    /// The most connections at a time. For a further one, another is closed.
    static let mostConnections = 32

    private let reading: MetricsReading
    private var connections: [MetricsConnection] = []
    /// The length of the last text, for which the next makes room at once.
    private var last = 0

    init(_ reading: MetricsReading) { self.reading = reading }

    /// Counts a new connection. If there are too many, that is closed which a scraper is least likely to wait for.
    func add(_ connection: MetricsConnection) {
        if connections.count >= Self.mostConnections {
            // First who has never asked anything, the oldest one; then who has asked nothing for the longest time; then who has asked most, as that may be
            // somebody who asks again and again and reads no answer.
            let idle = connections.filter { !$0.isAnswering }
            let victim = idle.first { $0.requests == 0 } ?? idle.min { $0.lastAsked < $1.lastAsked } ?? connections.max { $0.requests < $1.requests }
            if let victim {
                remove(victim)
                victim.close()
            }
        }
        connections.append(connection)
    }

    func remove(_ connection: MetricsConnection) { connections.removeAll { $0 === connection } }

    /// Calls back on the event loop, with nil if the counters cannot be read.
    func text(on eventLoop: any EventLoop, _ done: @escaping @Sendable ([UInt8]?) -> Void) {
        reading.read { snapshot in
            eventLoop.execute { [self] in
                let text = snapshot?.text(capacity: last + last / 16)
                last = text?.count ?? last
                done(text)
            }
        }
    }
}

/// One connection: answers a GET or HEAD of /metrics, one after the other.
private final class MetricsConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let source: MetricsSource
    private var head: HTTPRequestHead?
    private var context: ChannelHandlerContext?
    /// Whether an answer is on its way; how many requests there were; and when the last one came.
    private(set) var isAnswering = false
    private(set) var requests = 0
    private(set) var lastAsked = NIODeadline.now()

    init(_ source: MetricsSource) { self.source = source }

    func channelActive(context: ChannelHandlerContext) {
        source.add(self)
        self.context = context
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        source.remove(self)
        self.context = nil
        context.fireChannelInactive()
    }

    func close() { context?.close(promise: nil) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) } else { context.fireUserInboundEventTriggered(event) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            self.head = nil
            (isAnswering, requests, lastAsked) = (true, requests + 1, .now())
            answer(context, head)
        }
    }

    private func answer(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
        let path = Self.path(head.uri)
        guard path == "/metrics" else { return reply(context, head, .notFound, "the metrics are at /metrics\n") }
        guard head.method == .GET || head.method == .HEAD else { return reply(context, head, .methodNotAllowed, "only GET and HEAD are answered\n") }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        source.text(on: context.eventLoop) { text in
            let (connection, context) = bound.value
            guard context.channel.isActive else { return }
            guard let text else { return connection.reply(context, head, .internalServerError, "the counters cannot be read\n") }
            connection.reply(context, head, .ok, ByteBuffer(bytes: text), OpenMetricsText.contentType)
        }
    }

    /// The path of a request's target, which may be a whole URI (RFC 9112, 3.2.2).
    private static func path(_ target: String) -> Substring {
        var rest = target[...]
        if let scheme = target.range(of: "://"), target[..<scheme.lowerBound].lowercased() == "http" { rest = target[scheme.upperBound...].drop { $0 != "/" && $0 != "?" } }
        return rest.prefix { $0 != "?" }
    }

    private func reply(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ status: HTTPResponseStatus, _ sentence: String) {
        reply(context, head, status, ByteBuffer(string: sentence), "text/plain; charset=utf-8")
    }

    private func reply(_ context: ChannelHandlerContext, _ head: HTTPRequestHead, _ status: HTTPResponseStatus, _ body: ByteBuffer, _ type: String) {
        var fields = HTTPHeaders([("Content-Type", type), ("Content-Length", String(body.readableBytes))])
        if status == .methodNotAllowed { fields.add(name: "Allow", value: "GET, HEAD") }
        let begin = HTTPServerResponsePart.head(HTTPResponseHead(version: head.version, status: status, headers: fields))
        let sent: EventLoopFuture<Void>
        if head.method == .HEAD {
            sent = context.writeAndFlush(wrapOutboundOut(begin))
        } else {
            context.write(wrapOutboundOut(begin), promise: nil)
            sent = context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(body))))
        }
        // The next request, which the client may have sent already, is passed on behind the end of the answer. So that ends when it has been taken, as otherwise
        // answers would gather here for a client that reads none.
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        sent.whenSuccess {
            let (connection, context) = bound.value
            connection.isAnswering = false
            context.writeAndFlush(connection.wrapOutboundOut(.end(nil)), promise: nil)
            if !head.isKeepAlive { context.close(promise: nil) }
        }
    }
}
