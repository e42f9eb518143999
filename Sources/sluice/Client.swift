import ControlAPI
import Foundation

/// Sends one request over the daemon's socket and reads its reply.
struct Client {
    static var standardPath: String {
        let environment = ProcessInfo.processInfo.environment["SLUICE_SOCKET"] ?? ""
        return environment.isEmpty ? "/run/sluice/control.sock" : environment
    }

    let path: String
    /// How long the whole of a request may take. It is long, as a change may have to wait for devices.
    var patience = Self.standardPatience
    static let standardPatience = Duration.seconds(120)

    /// Carries out a method.
    /// - Throws: `Failure` with the daemon's sentences, or with why no daemon can be asked.
    func call<Params, Value>(_ method: Method<Params, Value>, _ params: Params) throws -> Value { try call(method.name, params) }

    func call<Params: Encodable, Value: Decodable>(_ method: String, _ params: Params) throws -> Value {
        try result(try exchange(try Request.encode(method, params, id: .number(1))), method)
    }

    private func result<Value: Decodable>(_ line: Data, _ method: String) throws -> Value {
        let reply: Reply<Value>
        do {
            reply = try ReplyDecoder.decode(Reply<Value>.self, from: line)
        } catch {
            throw unreadable(method)
        }
        if let error = reply.error {
            var failure = Failure(error.message, problems: error.data)
            failure.isOfName = error.code == RPCError.notFound
            throw failure
        }
        guard let value = reply.result else { throw Failure("the daemon's answer to \(method) has no result") }
        return value
    }

    /// Carries out a method, and gives its result as it was sent, laid out over lines.
    func text<Params, Value>(of method: Method<Params, Value>, _ params: Params) throws -> String {
        let line = try exchange(try Request.encode(method.name, params, id: .number(1)))
        let beginning = Data("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":".utf8)
        // An error, or what no daemon of this version writes, is read and told by the general way.
        guard line.starts(with: beginning), (try? JSONText.check(line)) != nil else {
            let value: Value = try result(line, method.name)
            return try Output.json(value)
        }
        return String(decoding: JSONLayout.lines(line[(line.startIndex + beginning.count)...].dropLast()), as: UTF8.self)
    }

    private func unreadable(_ method: String) -> Failure {
        Failure("the daemon's answer to \(method) cannot be read: are sluice and sluiced of one version?")
    }

    /// Asks for events, and waits for them until the daemon ends.
    /// - Parameter event: called with each; false: no more are wanted.
    func follow(_ kinds: [String]?, _ event: (Event) throws -> Bool) throws {
        let descriptor = try connected()
        defer { close(descriptor) }
        let deadline = ContinuousClock.now + patience
        try send(try Request.encode(Methods.eventsSubscribe.name, SubscribeParams(kinds: kinds), id: .number(1)), descriptor, until: deadline)
        var text = Data(), isAnswered = false
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            if !isAnswered { Self.limit(descriptor, SO_RCVTIMEO, to: deadline) }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN, !isAnswered { throw tooLate("did not answer") }
            guard count > 0 else { throw Failure("the daemon on \(path) has ended the connection") }
            text.append(contentsOf: buffer[..<count])
            while let end = text.firstIndex(of: 0x0a) {
                let line = Data(text[..<end])
                text = Data(text[(end + 1)...])
                if isAnswered {
                    guard let notice = try? JSONRPC.decoder().decode(EventNotice.self, from: line) else { throw Failure("an event cannot be read: are sluice and sluiced of one version?") }
                    guard try event(notice.params) else { return }
                } else {
                    let reply = try? JSONRPC.decoder().decode(Reply<SubscribeReply>.self, from: line)
                    if let error = reply?.error { throw Failure(error.message) }
                    guard reply?.result != nil else { throw Failure("the daemon's answer cannot be read: are sluice and sluiced of one version?") }
                    isAnswered = true
                    var never = timeval()
                    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &never, socklen_t(MemoryLayout<timeval>.size))
                }
            }
            guard text.count < Self.largestAnswer else { throw Failure("the daemon on \(path) sends an event without end") }
        }
    }

    private func exchange(_ request: Data) throws -> Data {
        let deadline = ContinuousClock.now + patience
        let descriptor = try connected()
        defer { close(descriptor) }
        var refusal: Failure?
        do {
            try send(request, descriptor, until: deadline)
        } catch let failure as Failure {
            // The daemon may have closed its side because it answered with an error before it had read the whole request.
            refusal = failure
        }
        var answer = Data()
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            Self.limit(descriptor, SO_RCVTIMEO, to: deadline)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { throw tooLate("did not answer") }
            guard answer.count < Self.largestAnswer else {
                throw Failure("the daemon on \(path) answers without end: more than \(Self.largestAnswer >> 20) MiB")
            }
            guard count > 0 else { break }
            let isComplete = buffer.withUnsafeBytes { bytes in
                let end = memchr(bytes.baseAddress!, 0x0a, count).map { UnsafeRawPointer($0) - bytes.baseAddress! }
                answer.append(contentsOf: bytes[..<(end ?? count)])
                return end != nil
            }
            if isComplete { return answer }
        }
        throw refusal ?? Failure("the daemon on \(path) ended the connection without an answer")
    }

    func connected() throws -> CInt {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard !path.isEmpty else {
            throw Failure("the socket's path is empty: name the daemon's socket with -s or SLUICE_SOCKET, such as /run/sluice/control.sock")
        }
        let length = path.utf8.count
        guard length < MemoryLayout.size(ofValue: address.sun_path) else {
            throw Failure("the socket's path has \(length) bytes, and the system takes 107 at most: name a shorter one, or a symbolic link to it, than \(path)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("no socket can be made: \(String(cString: strerror(errno)))") }
        Self.limit(descriptor, SO_SNDTIMEO, to: .now + patience)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let reason = errno
            close(descriptor)
            switch reason {
            case ENOENT, ECONNREFUSED:
                throw Failure("no daemon answers on \(path): start it with `sluiced`, or name its socket with -s or SLUICE_SOCKET")
            case EACCES, EPERM:
                throw Failure("\(path) may not be used by this user: members of the group sluice may look and those of sluice-admin may change, so join one, or use sudo")
            case EAGAIN: throw tooLate("took no connection")
            default: throw Failure("\(path) cannot be reached: \(String(cString: strerror(reason)))")
            }
        }
        return descriptor
    }

    /// The most bytes of an answer, which is more than any configuration that runs leads to.
    static let largestAnswer = 1 << 30

    func tooLate(_ what: String) -> Failure {
        let seconds = Double(patience.components.seconds) + Double(patience.components.attoseconds) / 1e18
        let shown = seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
        return Failure("the daemon on \(path) \(what) within \(shown) s; what was asked may still be done (--timeout takes longer)")
    }

    /// Makes the next call on a socket end at the deadline, with EAGAIN.
    static func limit(_ descriptor: CInt, _ option: CInt, to deadline: ContinuousClock.Instant) {
        // A time of 0 would mean that there is no limit.
        let left = max(deadline - .now, .microseconds(1)).components
        var time = timeval(tv_sec: Int(left.seconds), tv_usec: Int(max(left.attoseconds / 1_000_000_000_000, left.seconds == 0 ? 1 : 0)))
        setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    func send(_ data: Data, _ descriptor: CInt, until deadline: ContinuousClock.Instant) throws {
        try data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) in
            var rest = bytes[...]
            while !rest.isEmpty {
                Self.limit(descriptor, SO_SNDTIMEO, to: deadline)
                let count = Glibc.send(
                    descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                if count < 0 {
                    if errno == EINTR { continue }
                    if errno == EAGAIN { throw tooLate("did not take the request") }
                    throw Failure("the daemon on \(path) ended the connection")
                }
                rest = rest.dropFirst(count)
            }
        }
    }
}

/// Why a verb could not be carried out: sentences for standard error. The exit status is 1.
struct Failure: Error, CustomStringConvertible {
    let description: String
    /// Whether there is nothing of the name that was given.
    var isOfName = false

    /// - Parameter problems: if there are any, they are told one by one instead of `message`.
    init(_ message: String, problems: [ProblemReport]? = nil) {
        if let problems, !problems.isEmpty {
            description = problems.map { problem in
                [problem.line.map { "line \($0)" }, problem.path.isEmpty ? nil : problem.path, problem.sentence]
                    .compactMap { $0 }.joined(separator: ": ")
            }.joined(separator: "\n")
        } else {
            description = message
        }
    }
}
