import Configuration
import Foundation

/// What outlives the daemon: the class ids and the configuration that ran last. Replaced as a whole: a crash leaves the old
/// file or the new one.
public struct StateFile: Sendable {
    public let path: String

    public struct Contents: Codable, Equatable, Sendable {
        /// Of this format.
        public var version = 1
        public var ids: ClassIDs
        public var yaml: String
        public init(ids: ClassIDs, yaml: String) {
            self.ids = ids
            self.yaml = yaml
        }
    }

    public init(path: String) { self.path = path }

    /// Keeps other daemons from this file, which would each overwrite what the other saved.
    /// - Throws: a sentence if another daemon has it.
    package func lock() throws(StateFileError) -> FileLock {
        let lockPath = path + ".lock"
        do throws(FileLock.Failure) {
            // Where the folder cannot be made, neither can the lock.
            try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            return try FileLock(lockPath)
        } catch {
            switch error {
            case .held(let owner):
                throw StateFileError(
                    "another sluiced\(owner.map { " (pid \($0))" } ?? "") keeps its state in \(path): stop it, or give this one a file of its own with --state")
            case .system(let code):
                throw StateFileError("\(lockPath) cannot be made (\(String(cString: strerror(code)))): let sluiced write there, or give another path with --state")
            case .contended:
                throw StateFileError("\(lockPath) is made and removed all the time: another sluiced is starting over and over")
            }
        }
    }

    /// - Returns: nil if there is no file yet.
    /// - Throws: a sentence if there is one that cannot be read or is damaged.
    public func load() throws(StateFileError) -> Contents? {
        guard let data = FileManager.default.contents(atPath: path) else {
            if access(path, F_OK) != 0 { return nil }
            throw StateFileError("\(path) cannot be read: let sluiced read it, or give another path with --state")
        }
        let contents: Contents
        do {
            contents = try JSONDecoder().decode(Contents.self, from: data)
        } catch {
            throw StateFileError("\(path) is damaged (\(Self.reason(error))): move it away to start with new class ids")
        }
        guard contents.version == 1 else {
            throw StateFileError("\(path) is of format \(contents.version), written by a later sluiced: run that one, or move it away")
        }
        return contents
    }

    /// Returns when the disk has it.
    public func save(ids: ClassIDs, yaml: String) throws(StateFileError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try replace { try encoder.encode(Contents(ids: ids, yaml: yaml)) }
    }

    /// What the file holds now, for `restore`; nil: there is none.
    var contents: Data? { FileManager.default.contents(atPath: path) }

    /// Takes a `save` back.
    func restore(_ contents: Data?) throws(StateFileError) {
        if let contents { try replace { contents } } else { unlink(path) }
    }

    private var folder: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    private func replace(_ contents: () throws -> Data) throws(StateFileError) {
        let temporary = "\(path).\(getpid()).new"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try write(contents(), to: temporary)
            guard rename(temporary, path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        } catch {
            unlink(temporary)
            throw StateFileError("the state cannot be saved in \(path): \(Self.reason(error))")
        }
        // The rename itself is on disk once the folder is.
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }

    private func write(_ data: Data, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        defer { close(descriptor) }
        try data.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
                }
                rest = rest.dropFirst(count)
            }
        }
        guard fsync(descriptor) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as POSIXError: return String(cString: strerror(error.code.rawValue))
        case DecodingError.dataCorrupted(let context): return context.debugDescription
        case DecodingError.keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            return "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' is not what it should be"
        default: return error.localizedDescription
        }
    }
}

/// Why the state file is of no use, as a sentence.
public struct StateFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
