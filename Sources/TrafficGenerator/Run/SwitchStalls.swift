import DPDKShim
import Foundation

/// When the poll loops of a sluiced lost their CPUs during a run, by its own measurement. Its clock is the same as the generator's, the time-stamp counter.
struct SwitchStalls {
    /// The stalls, in nanoseconds since the start of the run.
    let times: [Range<UInt64>]
    let summary: StallSummary

    private struct Reply: Decodable {
        struct Core: Decodable { var stalls: Stalls }
        struct Stalls: Decodable {
            var count: UInt64
            var latest: [Stall]?
        }
        struct Stall: Decodable {
            var beganCycles: UInt64
            var microseconds: Double
        }
        struct Refusal: Decodable { var message: String }
        var result: [Core]?
        var error: Refusal?
    }

    /// Asks the switch after a run that began at the clock's origin and ended at `end`.
    /// - Throws: a sentence if there is no answer, or if it does not reach back to the start of the run.
    init(socket path: String, clock: LoopClock, end: UInt64) throws {
        let answer = try ask(path, #"{"jsonrpc":"2.0","id":1,"method":"core.show","params":{"stalls":true}}"#)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let reply = try? decoder.decode(Reply.self, from: answer) else { throw RunError("what answers on \(path) knows nothing of stalls") }
        if let refusal = reply.error { throw RunError("the switch refused: \(refusal.message)") }
        var times: [Range<UInt64>] = []
        for core in reply.result ?? [] {
            let latest = core.stalls.latest ?? []
            if let first = latest.first, UInt64(latest.count) < core.stalls.count, first.beganCycles > clock.origin {
                throw RunError("the switch remembers its latest \(latest.count) stalls, which is not the whole run: let it be shorter")
            }
            for stall in latest where stall.beganCycles >= clock.origin {
                let began = clock.nanoseconds(stall.beganCycles)
                if began < end { times.append(began..<began + UInt64(max(1, stall.microseconds * 1e3))) }
            }
        }
        self.times = times
        summary = StallSummary(
            count: UInt64(times.count), nanoseconds: times.reduce(0) { $0 + UInt64($1.count) }, longest: times.map { UInt64($0.count) }.max() ?? 0, of: end)
    }
}

/// Sends one line to a Unix socket, and returns the line that comes back.
private func ask(_ path: String, _ line: String) throws -> Data {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard !path.isEmpty, path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { throw RunError("the socket's path '\(path)' must have 1 to 107 bytes") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw RunError("no socket can be made: \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard connected == 0 else { throw RunError("no switch answers on \(path): \(String(cString: strerror(errno)))") }
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let bytes = Array((line + "\n").utf8)
    guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw RunError("the switch on \(path) does not listen") }
    var answer = Data()
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw RunError("the switch on \(path) gave no answer") }
        if let end = buffer[..<count].firstIndex(of: 10) { return answer + buffer[..<end] }
        answer.append(contentsOf: buffer[..<count])
    }
}
