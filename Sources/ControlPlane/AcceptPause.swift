import Glibc
import NIOCore

/// Stops accepting for a moment where the system refuses it: who waits to be accepted stays readable, so that the loop would ask again at once, for ever.
///
/// NIO's `AcceptBackoffHandler` holds back reads that are asked for after the refusal; but the one that was refused stays asked for (`readable0` leaves
/// `readPending` as it is), and so its socket stays registered.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    private let makeRoom: () -> Void
    private var isPaused = false

    /// - Parameter makeRoom: called where descriptors have run out.
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
