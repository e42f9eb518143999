import Configuration
import ControlAPI
import Dispatch
import Foundation
import Synchronization

/// The folder of the configurations that ran: the last few, each in a file `NUMBER.yaml`. The first line is a comment that says when, how and by whom; the
/// rest is the text that was applied, so that each file is a configuration file by itself.
///
/// It may be used on any thread. A file survives the end of the daemon once `record` has returned, and soon after a crash of the machine.
package final class RevisionFolder: Sendable {
    /// The most revisions that are kept.
    package static let most = 32

    package let path: String

    private struct Latest {
        var number: Int
        /// What the latest revision says, if that is known.
        var model: Model?
    }

    private let latest = Mutex<Latest?>(nil)
    private let syncer = DispatchQueue(label: "history")

    package init(path: String) { self.path = path }

    /// The folder that belongs to a state file, which may have others beside it.
    package static func standard(stateFile: String) -> String { (stateFile.hasSuffix(".json") ? String(stateFile.dropLast(5)) : stateFile) + ".history" }

    // MARK: Writing

    /// Keeps a configuration as a new revision.
    /// - Parameters:
    ///   - text: its text.
    ///   - model: what the text says; nil: it may not be a configuration at all.
    ///   - how: what was done with it, such as `apply`.
    ///   - who: who did it; nil: the daemon itself.
    ///   - changes: how many things changed.
    /// - Returns: its number.
    package func record(_ text: String, _ model: Model?, how: String, who: Peer?, changes: Int) throws(StateFileError) -> Int {
        // The lock keeps two threads from giving the same number.
        let result = latest.withLock { latest -> Result<Int, StateFileError> in
            let number = (latest?.number ?? numbers().last ?? 0) + 1
            let status = RevisionStatus(number: number, time: Date().timeIntervalSince1970.rounded(.down), how: how, who: who?.description, changes: changes)
            do throws(StateFileError) {
                try write(status, text)
            } catch {
                return .failure(error)
            }
            latest = Latest(number: number, model: model)
            return .success(number)
        }
        let number = try result.get()
        for old in numbers().dropLast(Self.most) { unlink(file(old)) }
        return number
    }

    /// Keeps what runs, unless the latest revision says the same.
    /// - Returns: the number of the revision that says what runs.
    @discardableResult
    package func record(_ running: Model, how: String) throws(StateFileError) -> Int {
        let known = latest.withLock { $0 }
        let number = known?.number ?? numbers().last
        let last = known?.model ?? number.flatMap { try? Model(yaml: text($0).yaml, daemon: running.daemon) }
        if let number, last == running {
            latest.withLock { latest in if latest == nil { latest = Latest(number: number, model: running) } }
            return number
        }
        let changes = Plan.objects(from: last ?? Model(), to: running).lines(from: last ?? Model(), to: running).count
        return try record(running.yaml, running, how: how, who: nil, changes: changes)
    }

    /// Whether the latest revision is known to say the same.
    func isLatest(_ model: Model) -> Bool { latest.withLock { $0?.model == model } }

    private func write(_ status: RevisionStatus, _ text: String) throws(StateFileError) {
        guard mkdir(path, 0o750) == 0 || errno == EEXIST else { throw StateFileError("the folder for past configurations \(path) cannot be made", errno) }
        let target = file(status.number), temporary = "\(path)/.\(status.number).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw StateFileError("the configuration cannot be kept in \(target)", errno) }
        let header = String(decoding: (try? JSONRPC.encoder().encode(status)) ?? Data("{}".utf8), as: UTF8.self)
        var bytes = Array("\(Self.mark)\(header)\n\(text)".utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = count < 0 ? errno : ENOSPC
                close(descriptor)
                unlink(temporary)
                throw StateFileError("the configuration cannot be kept in \(target)", reason)
            }
            bytes = bytes.dropFirst(count)
        }
        guard rename(temporary, target) == 0 else {
            let reason = errno
            close(descriptor)
            unlink(temporary)
            throw StateFileError("the configuration cannot be kept in \(target)", reason)
        }
        let path = path
        syncer.async {
            fsync(descriptor)
            close(descriptor)
            let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard folder >= 0 else { return }
            fsync(folder)
            close(folder)
        }
    }

    // MARK: Reading

    /// All revisions, the oldest first. Files that are none are left out.
    package func list() -> [RevisionStatus] { numbers().compactMap { number in head(number).map { $0.status } } }

    /// A revision and its text.
    /// - Throws: a sentence if there is none of this number, or if it cannot be read.
    package func text(_ number: Int) throws(RPCError) -> RevisionReply {
        let all = numbers()
        guard all.contains(number) else {
            let there = all.isEmpty ? "there is none" : "there are \(all[0]) to \(all[all.count - 1])"
            throw RPCError(RPCError.notFound, "no past configuration has the number \(number): \(there) (sluice config history)")
        }
        let whole: String
        do {
            whole = try textFile(file(number), waits: false)
        } catch {
            throw RPCError(RPCError.failed, error.description)
        }
        guard let head = Self.head(whole) else { throw RPCError(RPCError.failed, "\(file(number)) is damaged: its first line does not say what it is") }
        return RevisionReply(revision: head.status, yaml: String(whole[head.end...]))
    }

    private static let mark = "# sluice revision "

    /// What the first line says, and where the text behind it begins.
    private static func head(_ text: String) -> (status: RevisionStatus, end: String.Index)? {
        guard text.hasPrefix(mark), let end = text.utf8.firstIndex(of: 0x0a) else { return nil }
        let line = Data(text[..<end].dropFirst(mark.count).utf8)
        guard (try? JSONText.check(line)) != nil, let status = try? JSONRPC.decoder().decode(RevisionStatus.self, from: line) else { return nil }
        return (status, text.utf8.index(after: end))
    }

    private func head(_ number: Int) -> (status: RevisionStatus, end: String.Index)? {
        let descriptor = open(file(number), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = read(descriptor, &bytes, bytes.count)
        return Self.head(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self))
    }

    /// The numbers of the revisions, in ascending order.
    private func numbers() -> [Int] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).compactMap { name in
            name.hasSuffix(".yaml") ? Int(name.dropLast(5)).flatMap { $0 > 0 && "\($0).yaml" == name ? $0 : nil } : nil
        }.sorted()
    }

    private func file(_ number: Int) -> String { "\(path)/\(number).yaml" }
}
