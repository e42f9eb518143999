import Configuration
import ControlAPI
import Foundation
import Synchronization

/// The folder that keeps the parts of the configuration, each in a file `NAME.yaml`. A file is always replaced as a whole, so that a crash leaves either the
/// old one or the new one.
package struct PartFolder: Sendable {
    package let path: String

    package init(path: String) { self.path = path }

    /// The folder that belongs to a configuration file or, without one, to a state file.
    /// - Returns: nil if there is neither: then parts do not outlive the daemon.
    package static func standard(configFile: String?, stateFile: String?) -> String? {
        (configFile ?? stateFile).map { URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent("conf.d").path }
    }

    // MARK: Reading

    package struct Contents {
        package var parts: [Part] = []
        /// For each file that cannot be read, or is not a valid part by itself, the name of its part and a sentence that says why.
        package var flaws: [(name: String, sentence: String)] = []
        /// Whether the folder could be listed. If not, it is unknown which parts there are.
        package var isComplete = true
    }

    /// Reads all parts, in the order of their names. Temporary files that killed daemons have left are removed.
    package func load() -> Contents {
        var contents = Contents()
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            // If the folder does not exist, there are no parts. Any other error leaves it unknown which there are.
            contents.isComplete = access(path, F_OK) != 0 && errno == ENOENT
            if !contents.isComplete { contents.flaws.append(("", "\(path) cannot be read: \(error.localizedDescription)")) }
            return contents
        }
        for file in names {
            if file.hasPrefix("."), file.hasSuffix(Self.temporary) {
                unlink("\(path)/\(file)")
                continue
            }
            // Files with other names are ignored, such as the backup files of editors.
            guard !file.hasPrefix("."), file.hasSuffix(Self.ending) else { continue }
            let name = String(file.dropLast(Self.ending.count))
            do {
                contents.parts.append(try Part(name, yaml: try textFile(self.file(name), waits: false)))
            } catch {
                contents.flaws.append((name, "\(self.file(name)): \(error)"))
            }
        }
        return contents
    }

    /// When a part's file was last written; nil if there is none.
    func time(_ name: String) -> Date? {
        var info = stat()
        guard stat(file(name), &info) == 0 else { return nil }
        return Date(timeIntervalSince1970: Double(info.st_mtim.tv_sec))
    }

    // MARK: Writing

    /// A part's new file, which is on disk under a temporary name. Giving it its real name takes hardly any time.
    package struct Staged: Sendable {
        fileprivate let temporary: String
        fileprivate let path: String
        fileprivate let folder: String

        /// Gives the file its real name, so that it replaces the old one.
        /// - Throws: a sentence if that fails. The old file is then as it was.
        package func commit() throws(StateFileError) {
            guard rename(temporary, path) == 0 else {
                let reason = errno
                discard()
                throw StateFileError("the part cannot be kept in \(path)", reason)
            }
            PartFolder.synchronizeSoon(folder)
        }

        package func discard() { unlink(temporary) }
    }

    /// Writes a part to a file with a temporary name and returns when that is on disk. It may be called on any thread.
    package func stage(_ part: Part) throws(StateFileError) -> Staged { try stage(part.name, part.yaml, waits: true) }

    private func stage(_ name: String, _ yaml: String, waits: Bool) throws(StateFileError) -> Staged {
        let number = Self.numbers.withLock { number in
            number += 1
            return number
        }
        let staged = Staged(temporary: "\(path)/.\(name).\(getpid())-\(number)\(Self.temporary)", path: file(name), folder: path)
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw StateFileError("the folder for parts \(path) cannot be made", errno) }
        let descriptor = open(staged.temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw StateFileError("the part cannot be kept in \(staged.path)", errno) }
        defer { close(descriptor) }
        var bytes = Array(yaml.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = count < 0 ? errno : ENOSPC
                staged.discard()
                throw StateFileError("the part cannot be kept in \(staged.path)", reason)
            }
            bytes = bytes.dropFirst(count)
        }
        guard !waits || fsync(descriptor) == 0 else {
            let reason = errno
            staged.discard()
            throw StateFileError("the part cannot be kept in \(staged.path)", reason)
        }
        return staged
    }

    /// Removes a part's file, if it is there.
    package func remove(_ name: String) throws(StateFileError) {
        guard unlink(file(name)) == 0 || errno == ENOENT else { throw StateFileError("the part \(name) cannot be removed from \(path)", errno) }
        Self.synchronizeSoon(path)
    }

    /// Restores a part's file after a change that could not be carried out.
    /// - Parameter yaml: the file's content before the change; nil if there was no file.
    package func restore(_ name: String, _ yaml: String?) {
        if let yaml { try? stage(name, yaml, waits: false).commit() } else { try? remove(name) }
    }

    /// The present content of a part's file, whether or not it is a valid part; nil if it does not exist or cannot be read.
    package func text(_ name: String) -> String? { try? textFile(file(name), waits: false) }

    private func file(_ name: String) -> String { "\(path)/\(name)\(Self.ending)" }

    private static let ending = ".yaml"
    private static let temporary = ".new"
    private static let numbers = Mutex(0)
    private static let syncer = DispatchQueue(label: "parts")

    /// Writes the folder to disk in the background. Only then are files that were renamed or removed safe from a power failure; nobody waits for that.
    fileprivate static func synchronizeSoon(_ path: String) {
        syncer.async {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { return }
            fsync(descriptor)
            close(descriptor)
        }
    }
}
