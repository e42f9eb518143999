import ControlAPI
import Foundation

/// The socket of the capture in progress; -1: there is none. A signal's handler reads it.
nonisolated(unsafe) private var captureSocket: CInt = -1

extension Client {
    /// Captures frames until the daemon ends the capture, or a signal (SIGINT, SIGTERM, SIGHUP) does: then what was captured up to then still comes.
    /// - Parameters:
    ///   - began: called when the capture has begun.
    ///   - piece: called with each piece of a pcapng file.
    func capture(_ params: CaptureParams, began: (CaptureReply) -> Void, _ piece: (UnsafeRawBufferPointer) throws -> Void) throws -> CaptureEnd.Params {
        let descriptor = try connected()
        defer {
            captureSocket = -1
            close(descriptor)
        }
        let deadline = ContinuousClock.now + patience
        try send(try Request.encode(Methods.captureStart.name, params, id: .number(1)), descriptor, until: deadline)
        captureSocket = descriptor
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number) { _ in if captureSocket >= 0 { shutdown(captureSocket, CInt(SHUT_WR)) } } }
        var input = Incoming(descriptor, self, deadline)
        let reply = try? JSONRPC.decoder().decode(Reply<CaptureReply>.self, from: try input.line())
        if let error = reply?.error { throw Failure(error.message) }
        guard let result = reply?.result else { throw Failure("the daemon's answer cannot be read: are sluice and sluiced of one version?") }
        input.waitForever()
        began(result)
        while true {
            let line = try input.line()
            if let notice = try? JSONRPC.decoder().decode(CaptureNotice.self, from: line) {
                try input.take(notice.params.bytes, piece)
            } else if let end = try? JSONRPC.decoder().decode(CaptureEnd.self, from: line) {
                return end.params
            } else {
                throw Failure("the daemon's capture cannot be read: are sluice and sluiced of one version?")
            }
        }
    }

    /// What comes over the socket: lines, and bytes between them.
    private struct Incoming {
        private let descriptor: CInt
        private let client: Client
        private var deadline: ContinuousClock.Instant?
        private var buffer = [UInt8](repeating: 0, count: 256 << 10)
        private var rest = 0..<0

        init(_ descriptor: CInt, _ client: Client, _ deadline: ContinuousClock.Instant) {
            (self.descriptor, self.client, self.deadline) = (descriptor, client, deadline)
        }

        mutating func waitForever() {
            deadline = nil
            var never = timeval()
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &never, socklen_t(MemoryLayout<timeval>.size))
        }

        mutating func line() throws -> Data {
            var line = Data()
            while true {
                if rest.isEmpty { try fill() }
                if let end = buffer[rest].firstIndex(of: 0x0a) {
                    line += buffer[rest.lowerBound..<end]
                    rest = end + 1..<rest.upperBound
                    return line
                }
                line += buffer[rest]
                rest = 0..<0
                guard line.count < 1 << 20 else { throw Failure("the daemon on \(client.path) sends a line without end") }
            }
        }

        mutating func take(_ count: Int, _ piece: (UnsafeRawBufferPointer) throws -> Void) throws {
            var left = count
            while left > 0 {
                if rest.isEmpty { try fill() }
                let part = rest.prefix(left)
                try buffer[part].withUnsafeBytes(piece)
                left -= part.count
                rest = part.upperBound..<rest.upperBound
            }
        }

        private mutating func fill() throws {
            while true {
                if let deadline { Client.limit(descriptor, SO_RCVTIMEO, to: deadline) }
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count < 0, errno == EINTR { continue }
                if count < 0, errno == EAGAIN, deadline != nil { throw client.tooLate("did not answer") }
                guard count > 0 else { throw Failure("the daemon on \(client.path) has ended the connection") }
                rest = 0..<count
                return
            }
        }
    }
}
