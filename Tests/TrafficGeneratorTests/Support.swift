import Foundation

/// A capture file in memory (pcap format, microseconds, Ethernet).
struct CaptureFile {
    var frames: [[UInt8]]

    init(frames: [[UInt8]]) { self.frames = frames }

    init(_ bytes: [UInt8]) {
        frames = []
        var offset = 24
        while offset + 16 <= bytes.count {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[offset + 8 + $1]) << (8 * $1) }
            guard offset + 16 + length <= bytes.count else { return }
            frames.append(Array(bytes[offset + 16..<offset + 16 + length]))
            offset += 16 + length
        }
    }

    var bytes: [UInt8] {
        func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        var all = little(0xa1b2_c3d4) + [2, 0, 4, 0] + little(0) + little(0) + little(65_535) + little(1)
        for frame in frames { all += little(0) + little(0) + little(UInt32(frame.count)) + little(UInt32(frame.count)) + frame }
        return all
    }
}

/// The outcome of a child process that has ended.
struct Command {
    var status: Int32
    var output: String

    static func run(_ path: String, _ arguments: [String]) throws -> Command {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Command(status: process.terminationStatus, output: String(decoding: data, as: UTF8.self))
    }
}
