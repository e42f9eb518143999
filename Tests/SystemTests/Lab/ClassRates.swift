import Foundation
import Synchronization
import Testing

/// Measures the rates of a tree's classes by the daemon's own counters, second by second.
///
/// The counters are read again and again over one connection; each reading takes a thousandth of a second. The median second counts, so that a few seconds do
/// not matter in which a class stands still, sends more than its rate because it starts or catches up, or in which answers are late.
final class ClassRates: Sendable {
    private struct Reading {
        /// The time in seconds, half-way between question and answer.
        var time: Double
        /// The bytes sent by each class, by its path.
        var bytes: [String: Int]
    }

    /// The path of the daemon's control socket.
    private let socket: String
    private let tree: String
    private let readings = Mutex<[Reading]>([])

    init(_ daemon: Daemon, _ tree: String) {
        socket = daemon.socket
        self.tree = tree
    }

    /// Reads the counters while `body` runs.
    func during<Result>(_ body: () throws -> Result) rethrows -> Result {
        readings.withLock { $0 = [] }
        let isOver = DispatchSemaphore(value: 0), ended = DispatchSemaphore(value: 0)
        let reader = Thread { [self] in
            defer { ended.signal() }
            guard let client = try? ControlClient(socket) else { return }
            // The pause between two readings ends at once when the body has ended.
            repeat {
                guard let reading = try? read(client) else { return }
                readings.withLock { $0.append(reading) }
            } while isOver.wait(timeout: .now() + 0.02) == .timedOut
        }
        reader.start()
        defer {
            isOver.signal()
            ended.wait()
        }
        return try body()
    }

    private func read(_ client: ControlClient) throws -> Reading {
        let before = ProcessInfo.processInfo.systemUptime
        client.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"class.show\"}\n")
        let answer = try client.line() ?? ""
        let after = ProcessInfo.processInfo.systemUptime
        var bytes: [String: Int] = [:]
        for item in try JSON(answer)["result"].items where item["tree"].string == tree { bytes[item["path"].string ?? ""] = item["sent"]["bytes"].int ?? 0 }
        return Reading(time: (before + after) / 2, bytes: bytes)
    }

    /// The rate of a class in bit/s in the median second, of those in which it was busy at both ends.
    func median(_ path: String) throws -> Double {
        let all = readings.withLock { $0 }
        var rates: [Double] = []
        func isBusy(_ index: Int) -> Bool {
            index > 0 && index < all.count - 1 && all[index - 1].bytes[path] != all[index].bytes[path] && all[index + 1].bytes[path] != all[index].bytes[path]
        }
        for (first, start) in all.enumerated() where isBusy(first) {
            guard let last = all[first...].firstIndex(where: { $0.time >= start.time + 1 }), isBusy(last), all[last].time < start.time + 1.2,
                let sent = all[last].bytes[path].flatMap({ end in start.bytes[path].map { end - $0 } })
            else { continue }
            rates.append(Double(8 * sent) / (all[last].time - start.time))
        }
        guard rates.count >= 20 else { throw LabError("class \(path) of \(tree) was busy in \(rates.count) of the seconds read \(all.count) times") }
        return rates.sorted()[rates.count / 2]
    }

    /// - Parameter rate: the expected rate in bit/s.
    func expect(_ path: String, _ rate: Double, within share: Double = 0.001, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let found = try median(path)
        print("class \(path) of \(tree): \(String(format: "%+.4f", (found / rate - 1) * 100)) % of its rate in the median second")
        #expect(abs(found / rate - 1) <= share, "class \(path) of \(tree) sent \(Int(found)) bit/s instead of \(Int(rate))", sourceLocation: sourceLocation)
    }
}
