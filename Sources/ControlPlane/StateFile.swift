import Configuration
import ControlAPI
import Foundation

/// The file that keeps what outlives the daemon: the class ids and the configuration that ran last. It is always replaced as a whole, so that a crash leaves
/// either the old file or the new one.
public struct StateFile: Sendable {
    public let path: String

    /// The content of a state file.
    public struct Contents: Codable, Equatable, Sendable {
        /// The version of the file's format; version 1 had no checksum.
        public var version = 2
        public var ids: ClassIDs
        public var yaml: String
        /// The number of the journal that follows this file; nil: the file is from before there were journals.
        public var generation: UInt64?
        /// Whether a journal was begun with this file, which means that the daemon has not ended cleanly since. nil: the file is from before this was recorded.
        public var journal: Bool?
        /// The parts whose ports and guests `yaml` has, as their owners wrote them; nil: there are none.
        public var parts: [String: String]?
        /// The configuration file that what ran began with; nil: there was none.
        public var file: LoadedFile?
        /// The operator's configuration that is to run again, as what runs was applied to be confirmed and has not been yet; nil: nothing waits.
        public var undo: String?
        public init(ids: ClassIDs, yaml: String, generation: UInt64? = nil, journal: Bool? = nil, parts: [String: String]? = nil) {
            self.ids = ids
            self.yaml = yaml
            self.generation = generation
            self.journal = journal
            self.parts = parts
        }
    }

    public init(path: String) { self.path = path }

    /// Keeps other daemons from using this file, as each would overwrite what the other saved.
    /// - Throws: a sentence if another daemon has it, or if the lock cannot be taken.
    package func lock() throws(StateFileError) -> FileLock {
        let lockPath = path + ".lock"
        do throws(FileLock.Failure) {
            if let code = makeFolder() { throw .system(code) }
            let lock = try FileLock(lockPath)
            removeLeftovers()
            return lock
        } catch {
            switch error {
            case .held(let owner):
                throw StateFileError(
                    "another sluiced\(owner.map { " (pid \($0))" } ?? "") keeps its state in \(path): stop it, or give this one a file of its own with --state")
            case .system(let code):
                throw StateFileError("\(lockPath) cannot be made", code, otherwise: "let sluiced write there, or give another path with --state")
            case .contended:
                throw StateFileError("\(lockPath) is made and removed all the time: another sluiced is starting over and over")
            }
        }
    }

    /// Reads the file.
    /// - Returns: nil if there is none yet.
    /// - Throws: a sentence if there is one that cannot be read or is damaged.
    public func load() throws(StateFileError) -> Contents? {
        let data: Data
        do throws(ReadFailure) {
            guard let read = try read() else { return nil }
            data = read
        } catch {
            switch error {
            case .system(let code):
                throw StateFileError("\(path) cannot be read (\(String(cString: strerror(code)))): let sluiced read it, or give another path with --state")
            case .notAFile: throw StateFileError("\(path) is not a file: move it away, or give another path with --state")
            case .tooLarge: throw damaged("it is larger than \(Self.largest >> 20) MiB")
            }
        }
        let sum = Self.checksum(of: data)
        if let sum, sum.written != sum.found { throw damaged("its checksum is \(sum.written), and what it holds has \(sum.found)") }
        var contents: Contents
        do {
            try JSONText.check(data)
            contents = try JSONDecoder().decode(Contents.self, from: data)
        } catch {
            throw damaged(Self.reason(error))
        }
        switch contents.version {
        case 2 where sum == nil: throw damaged("its checksum is missing")
        // A file of the first version has exactly three keys. A later file whose number and checksum were both damaged has more keys.
        case 1 where sum != nil || (try? JSONDecoder().decode([String: Anything].self, from: data).count) != 3: throw damaged("format 1 has three keys")
        case 1, 2: contents.version = 2
        default: throw StateFileError("\(path) is of format \(contents.version), written by a later sluiced: run that one, or move it away")
        }
        return contents
    }

    private func damaged(_ why: String) -> StateFileError {
        StateFileError("\(path) is damaged (\(why)): move it away to start with new class ids")
    }

    private struct Anything: Decodable {
        init(from decoder: any Decoder) {}
    }

    // MARK: Bytes

    /// The file begins with the key of the checksum, which covers everything behind it.
    private static let head = Data(#"{"checksum":""#.utf8)
    private static let headEnd = Data("\",".utf8)

    /// The checksum that a file contains, and the one that its content has; nil: it contains none.
    private static func checksum(of data: Data) -> (written: String, found: String)? {
        let start = head.count + 16 + headEnd.count
        guard data.count > start, data.prefix(head.count) == head, data[(start - headEnd.count)..<start] == headEnd else { return nil }
        return (String(decoding: data[head.count..<(head.count + 16)], as: UTF8.self), Checksum(data.dropFirst(start)).text)
    }

    private static func encode(_ contents: Contents) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let rest = try encoder.encode(contents).dropFirst()
        return head + Data(Checksum(rest).text.utf8) + headEnd + rest
    }

    /// The most bytes of a state file. 65 535 classes in a dozen trees, together with the largest configuration, take far less.
    private static let largest = 256 << 20

    private enum ReadFailure: Error { case system(CInt), notAFile, tooLarge }

    private func read() throws(ReadFailure) -> Data? {
        // Opening a pipe without a writer would otherwise block the start for ever.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .system(errno)
        }
        defer { close(descriptor) }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw .system(errno) }
        guard info.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
        guard info.st_size <= Self.largest else { throw .tooLarge }
        var data = Data(count: Int(info.st_size))
        var count = 0
        while count < data.count {
            let more = data.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { throw .system(errno) }
            if more == 0 { break }
            count += more
        }
        return data.prefix(count)
    }

    /// Replaces the file, and returns when the new one is on disk.
    public func save(
        ids: ClassIDs, yaml: String, generation: UInt64? = nil, journal: Bool? = nil, parts: Parts = Parts(), file: LoadedFile? = nil, undo: String? = nil
    ) throws(StateFileError) {
        let texts = parts.isEmpty ? nil : Dictionary(uniqueKeysWithValues: parts.all.map { ($0.name, $0.yaml) })
        var contents = Contents(ids: ids, yaml: yaml, generation: generation, journal: journal, parts: texts)
        (contents.file, contents.undo) = (file, undo)
        try replace { try Self.encode(contents) }
    }

    /// What the file contains now, for `restore`; nil: there is no file.
    var contents: Data? { FileManager.default.contents(atPath: path) }

    /// Takes a `save` back.
    func restore(_ contents: Data?) throws(StateFileError) {
        if let contents { try replace { contents } } else { unlink(path) }
    }

    /// Removes half-written files of daemons that were killed. Only the owner of the lock writes any, so none of them is still in use.
    private func removeLeftovers() {
        let name = URL(fileURLWithPath: path).lastPathComponent
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where entry.hasPrefix(name + ".") && entry.hasSuffix(".new") {
            let pid = entry.dropFirst(name.count + 1).dropLast(4)
            if !pid.isEmpty, pid.allSatisfy({ "0"..."9" ~= $0 }) { unlink("\(folder)/\(entry)") }
        }
    }

    private var folder: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    /// Makes the file's folder if it does not exist.
    /// - Returns: the errno if that is not possible.
    private func makeFolder() -> CInt? {
        var made = ""
        for name in folder.split(separator: "/") {
            made += "/\(name)"
            if mkdir(made, 0o777) != 0, errno != EEXIST { return errno }
        }
        return nil
    }

    private func replace(_ contents: () throws -> Data) throws(StateFileError) {
        let temporary = "\(path).\(getpid()).new"
        do {
            if let code = makeFolder() { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
            try write(contents(), to: temporary)
            guard rename(temporary, path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        } catch {
            unlink(temporary)
            let what = "the state cannot be saved in \(path)"
            if let error = error as? POSIXError { throw StateFileError(what, error.code.rawValue) }
            throw StateFileError("\(what): \(Self.reason(error))")
        }
        // The rename has reached the disk only when the folder has.
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
        case let error as JSONText.Flaw: return "this is not JSON: \(error)"
        case DecodingError.dataCorrupted(let context): return context.debugDescription
        case DecodingError.keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            return "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' is not what it should be"
        default: return error.localizedDescription
        }
    }
}
