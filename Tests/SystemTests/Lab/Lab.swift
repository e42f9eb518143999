import Foundation
import Testing

/// Everything that one test creates: a folder, namespaces, links and processes. `close` removes them in reverse order, also after a failure, and reports what
/// could not be removed.
final class Lab {
    let folder: String
    private var undo: [() -> Void] = []
    private static let serial = Counter()
    /// `scripts/test` gives each of its runs a number, so that it can find what a run left behind.
    private static let run = ProcessInfo.processInfo.environment["SLUICE_TEST_RUN"] ?? "\(getpid() % 100_000)"
    /// Distinguishes this test's interfaces and namespaces from those of other runs.
    let tag: String

    init() throws {
        tag = "sl\(Lab.run)x\(Lab.serial.next())"
        // The path is short, because the path of a Unix socket can have at most 107 bytes.
        folder = "/tmp/\(tag)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let folder = folder
        atClose { try? FileManager.default.removeItem(atPath: folder) }
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return path(name)
    }
    func atClose(_ work: @escaping () -> Void) { undo.append(work) }

    func close() {
        while let work = undo.popLast() { work() }
    }

    /// Starts a process that ends with this test.
    func start(
        _ arguments: String..., namespace: Namespace? = nil, cpus: String? = nil, environment: [String: String] = [:],
        keepsInput: Bool = false
    ) throws -> ChildProcess {
        let child = try ChildProcess(
            arguments, namespace: namespace?.name, cpus: cpus, environment: environment, keepsInput: keepsInput)
        atClose { child.stop() }
        return child
    }
}

final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var value = 0
    func next() -> Int { lock.withLock { value += 1; return value } }
}

/// Runs a test's body in a new lab and removes the lab whatever happens.
func withLab<T>(_ body: (Lab) throws -> T) throws -> T {
    let lab = try Lab()
    defer { lab.close() }
    return try body(lab)
}

/// Where the programs under test are: in the folder of the test bundle.
enum Build {
    static let folder: String = {
        let link = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (link as NSString).deletingLastPathComponent
    }()
    static let repository: String = {
        let file = #filePath as NSString   // Tests/SystemTests/Lab/Lab.swift
        return (0..<4).reduce(file) { path, _ in path.deletingLastPathComponent as NSString } as String
    }()
    static func program(_ name: String) -> String { "\(folder)/\(name)" }
}
