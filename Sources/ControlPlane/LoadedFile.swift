import Configuration
import ControlAPI
import Foundation

/// The configuration file that what runs began with. What single changes have made of it since is what runs.
public struct LoadedFile: Codable, Equatable, Sendable {
    /// Its absolute path.
    public var path: String
    /// Its text when it was last loaded or saved.
    public var text: String

    public init(path: String, text: String) {
        self.path = URL(fileURLWithPath: path).path
        self.text = text
    }

    /// The file's text as it is now.
    /// - Throws: a sentence; it is not waited for the writer of a pipe either.
    package func current() throws(TextFileError) -> String { try textFile(path, waits: false) }

    // MARK: Writing

    /// Replaces the file's text as a whole, and returns when the new one is on disk. Owner, group and mode stay; where the path is a symbolic link, the file
    /// that it leads to is replaced.
    /// - Parameter isExpected: asked about the present text just before it is replaced.
    /// - Returns: the text that was there; nil: the file was missing.
    /// - Throws: a sentence; the old file is then as it was.
    package func replace(with text: String, if isExpected: (_ present: String?) throws -> Void) throws -> String? {
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        func failed(_ what: String) -> StateFileError { StateFileError("\(target) is not written: \(what)", errno) }
        var info = stat()
        let isThere = stat(target, &info) == 0
        guard isThere || errno == ENOENT else { throw failed("it cannot be looked at") }
        guard !isThere || info.st_mode & S_IFMT == S_IFREG else { throw StateFileError("\(target) is not written: it is not a regular file") }
        let temporary = "\(target).\(getpid()).new"
        // Nobody but the daemon may read it before it has the owner and the mode of the old file.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failed("no file can be made beside it") }
        defer { close(descriptor) }
        do {
            if isThere, fchown(descriptor, info.st_uid, info.st_gid) != 0 { throw failed("its owner cannot be kept") }
            guard fchmod(descriptor, isThere ? info.st_mode & 0o7777 : 0o644) == 0 else { throw failed("its mode cannot be kept") }
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failed("it cannot be written") }
                bytes = bytes.dropFirst(count)
            }
            guard fsync(descriptor) == 0 else { throw failed("it does not reach the disk") }
            let present = isThere ? try current() : nil
            try isExpected(present)
            guard rename(temporary, target) == 0 else { throw failed("it cannot be replaced") }
            let folder = open(URL(fileURLWithPath: target).deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if folder >= 0 {
                fsync(folder)
                close(folder)
            }
            return present
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// A document for the file: the comment lines at the head of its present text, and the configuration.
    package static func document(_ model: Model, after present: String) -> String {
        let head = present.split(separator: "\n", omittingEmptySubsequences: false).prefix { $0.hasPrefix("#") || $0.allSatisfy(\.isWhitespace) }
        guard let last = head.lastIndex(where: { $0.hasPrefix("#") }) else { return model.yaml }
        return head[...last].joined(separator: "\n") + "\n" + model.yaml
    }
}
