import ArgumentParser
import DataPlane
import Foundation

/// Measures whenever a line on standard input says for how many seconds, and answers each with a line of JSON. Between turns its process may be stopped.
struct Turns: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Measure when told to on standard input.", shouldDisplay: false)

    @Option(help: "CPUs of the poll loops, such as 1 or 0,1.")
    var cpus: String
    @OptionGroup var load: Load

    /// What passes before each turn: caches fill, and the time in which the process was stopped ends up outside.
    private static let warmUp = 0.01

    func run() throws {
        let bed = try Bed(load, cpus: try cpuList(cpus))
        defer { bed.plane.close() }
        // Addresses are learned and buckets drained by then.
        Thread.sleep(forTimeInterval: 0.2)
        say(Data("ready".utf8))
        while let line = readLine() {
            guard let seconds = Double(line), 0.01...60 ~= seconds else { throw Failure("`\(line)` is no time to measure for: write 0.01 to 60 seconds") }
            Thread.sleep(forTimeInterval: Self.warmUp)
            let result = try MeasurementResult(of: bed, seconds: seconds)
            say(try JSONEncoder().encode(result))
        }
    }

    /// Without waiting for more, as `print` does into a pipe.
    private func say(_ line: Data) { FileHandle.standardOutput.write(line + [10]) }
}

/// A process with some poll loops, which runs while it has its turn and is stopped else. It dies with this one.
final class Player {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let cpus: [Int]

    init(_ cpus: [Int], _ load: Load) throws {
        self.cpus = cpus
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        process.arguments = ["--pdeathsig", "KILL", "--", program, "turns", "--cpus", cpus.map(String.init).joined(separator: ",")] + load.arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        // What EAL says on standard output comes first.
        while try line() != "ready" {}
        hold()
    }

    private func hold() { kill(process.processIdentifier, SIGSTOP) }
    private func resume() { kill(process.processIdentifier, SIGCONT) }

    func turn(seconds: Double) throws -> MeasurementResult {
        resume()
        defer { hold() }
        try input.fileHandleForWriting.write(contentsOf: Data("\(seconds)\n".utf8))
        return try JSONDecoder().decode(MeasurementResult.self, from: Data(line().utf8))
    }

    private func line() throws -> String {
        var bytes: [UInt8] = []
        while let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
            if byte == 10 { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
        throw Failure("the measurement on CPUs \(cpus) failed")
    }

    func end() {
        try? input.fileHandleForWriting.close()
        resume()
        process.waitUntilExit()
    }
}
