import Foundation
import Measuring

/// A process that measures in turns and is stopped between them. It ends together with this process.
final class Player {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()

    /// - Parameter words: the arguments of this program, beginning with a verb that runs a `Dialogue`.
    init(_ words: [String]) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        process.arguments = ["--pdeathsig", "KILL", "--", program] + words
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        // EAL may print something on standard output before the line that is waited for.
        while try line() != Dialogue.ready {}
        hold()
    }

    static func loops(_ cpus: [Int], _ load: Load) throws -> Player {
        try Player(["turns", "--cpus", cpus.map(String.init).joined(separator: ",")] + load.arguments)
    }

    static func spinner(_ cpu: Int, memory: Int = 0) throws -> Player { try Player(["spin", "--cpu", "\(cpu)", "--memory", "\(memory)"]) }

    var id: pid_t { process.processIdentifier }

    func hold() { kill(process.processIdentifier, SIGSTOP) }
    func resume() { kill(process.processIdentifier, SIGCONT) }

    /// Starts a turn of a process that is running.
    func begin(_ seconds: Double) throws { try input.fileHandleForWriting.write(contentsOf: Data("\(seconds)\n".utf8)) }

    /// Waits for the result of the turn.
    func result<Value: Decodable>(_ type: Value.Type) throws -> Value { try JSONDecoder().decode(type, from: Data(line().utf8)) }

    private func line() throws -> String {
        var bytes: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
            if byte == 10 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        throw Failure("the measurement `\(process.arguments?.dropFirst(4).joined(separator: " ") ?? "")` failed")
    }

    func end() {
        try? input.fileHandleForWriting.close()
        resume()
        process.waitUntilExit()
    }
}

extension [Player] {
    /// Lets all of them take a turn at the same time, while the `others` run without measuring.
    func turn<Value: Decodable>(_ type: Value.Type, _ seconds: Double, beside others: [Player] = []) throws -> [Value] {
        for player in others + self { player.resume() }
        defer { for player in others + self { player.hold() } }
        for player in self { try player.begin(seconds) }
        return try map { try $0.result(type) }
    }
}
