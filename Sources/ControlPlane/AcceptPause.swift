import Glibc
import NIOCore

/// Stops accepting connections for a moment when the system refuses one: the listening socket stays readable as long as a client waits, so the event loop would
/// try again at once, without end.
///
/// NIO's `AcceptBackoffHandler` only holds back reads that are asked for after the refusal. The read that was refused remains pending (`readable0` leaves
/// `readPending` as it is), and so the socket stays registered for reading.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    private let makeRoom: () -> Void
    private var isPaused = false

    /// - Parameter makeRoom: called when the process or the system has run out of file descriptors.
    init(_ makeRoom: @escaping () -> Void) { self.makeRoom = makeRoom }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError else { return context.fireErrorCaught(error) }
        if [EMFILE, ENFILE].contains(error.errnoCode) { makeRoom() }
        if isPaused { return }
        isPaused = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.channel.setOption(.autoRead, value: false).whenComplete { _ in }
        context.eventLoop.scheduleTask(in: .milliseconds(200)) {
            let (pause, context) = bound.value
            pause.isPaused = false
            context.channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
    }
}
