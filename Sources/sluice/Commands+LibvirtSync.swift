import ArgumentParser
import Configuration
import ControlAPI
import Foundation
import Libvirt

extension LibvirtCommand {
    struct Sync: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make ports and guests as the running domains are now.",
            discussion: """
                libvirt calls no hook for detach-device and virsh metadata --set --live, and none is heard while the daemon is away. This reads the files in \
                which libvirt keeps its running domains, which takes root, and sets the parts libvirt-NAME that differ. A part whose domain does not run goes \
                once it is a minute old, as libvirt writes its file a moment after the hook.
                """)
        @OptionGroup var target: LibvirtTarget
        @OptionGroup var source: DomainSource
        func run() throws {
            try reporting {
                var sync = DomainSync(target: target, folder: source.status)
                let report = try sync.run()
                for line in report.changes { Output.print(line) }
                for line in report.flaws { Output.error(line) }
                if !report.flaws.isEmpty { throw ExitCode(1) }
            }
        }
    }

    struct Watch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "As sync, again and again: what is changed of a running domain holds within seconds.",
            discussion: "It looks at the files' times, and asks the daemon only when one has changed, and once a minute. Let a service run it.")
        @OptionGroup var target: LibvirtTarget
        @OptionGroup var source: DomainSource
        @Option(help: "Time between two looks, 100ms to 1min.") var every = "2s"
        func run() throws {
            try reporting {
                let pause = try LibvirtTarget.patience(every).components
                var time = timespec(tv_sec: Int(pause.seconds), tv_nsec: Int(pause.attoseconds / 1_000_000_000))
                var sync = DomainSync(target: target, folder: source.status), told: [String] = []
                while true {
                    var flaws: [String]
                    do {
                        guard sync.isDue else {
                            nanosleep(&time, nil)
                            continue
                        }
                        let report = try sync.run()
                        for line in report.changes { Output.print(line) }
                        flaws = report.flaws
                    } catch {
                        flaws = ["\(error)"]
                    }
                    // A flaw that lasts is reported only once.
                    for line in flaws where !told.contains(line) { Output.error(line) }
                    told = flaws
                    nanosleep(&time, nil)
                }
            }
        }
    }
}

struct DomainSource: ParsableArguments {
    @Option(help: "Folder in which libvirt keeps its running domains.", completion: .directory) var status = "/run/libvirt/qemu"
}

/// Compares the daemon's parts with libvirt's running domains, and sets, changes and deletes parts until they agree.
private struct DomainSync {
    let target: LibvirtTarget
    let folder: String
    private var seen: [String: FileMark]?
    private var ranAt = ContinuousClock.now

    init(target: LibvirtTarget, folder: String) {
        self.target = target
        self.folder = folder
    }

    struct Report {
        var changes: [String] = []
        var flaws: [String] = []
    }

    /// What identifies one version of a file. libvirt replaces a file by a new one each time it writes it.
    private struct FileMark: Equatable {
        var inode: UInt64
        var seconds: Int
        var nanoseconds: Int

        init?(_ path: String) {
            var info = stat()
            guard stat(path, &info) == 0 else { return nil }
            (inode, seconds, nanoseconds) = (UInt64(info.st_ino), info.st_mtim.tv_sec, info.st_mtim.tv_nsec)
        }
    }

    /// Whether it is time for another run: a file has changed since the last one, the last one found flaws, or it was a minute ago.
    var isDue: Bool {
        guard let seen, ContinuousClock.now - ranAt < .seconds(60) else { return true }
        return (try? marks()) != seen
    }

    private func marks() throws -> [String: FileMark] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw Failure("\(folder) cannot be read, where libvirt keeps its running domains: \(error.localizedDescription)")
        }
        return names.filter { $0.hasSuffix(".xml") }.reduce(into: [:]) { $0[$1] = FileMark("\(folder)/\($1)") }
    }

    mutating func run() throws -> Report {
        ranAt = .now
        seen = nil
        let deadline = ContinuousClock.now + .seconds(30), marks = try marks()
        let parts = try target.client(until: deadline).call(Methods.partShow, NameParams())
        var report = Report(), running: Set<String> = []
        for (file, mark) in marks.sorted(by: { $0.key < $1.key }) {
            // Even if the file cannot be read, its name says that this domain is running, so that its part is not deleted.
            running.insert(LibvirtConfiguration.partName(String(file.dropLast(4))))
            do {
                let xml = try LibvirtFiles.bytes("\(folder)/\(file)")
                let domain: LibvirtDomain? = LibvirtFiles.mayConcern(xml) ? try LibvirtDomain(xml: xml) : nil
                let part = LibvirtConfiguration.partName(domain?.name ?? String(file.dropLast(4)))
                guard let domain, !domain.interfaces.isEmpty else {
                    running.remove(part)
                    continue
                }
                let configuration = try target.configuration(of: domain, until: deadline)
                if parts.contains(where: { $0.name == part && $0.yaml == configuration.part.yaml && $0.problem == nil }) { continue }
                // If the file has changed meanwhile, the domain may have ended or been started again. The hook then sets the part, not this.
                guard FileMark("\(folder)/\(file)") == mark else { continue }
                report.changes += try target.put(configuration, as: part, needsAll: false, until: deadline)
            } catch {
                report.flaws.append("\(folder)/\(file): \(error)")
            }
        }
        for part in parts where part.name.hasPrefix(LibvirtConfiguration.partPrefix) && !running.contains(part.name) && part.ageSeconds >= 60 {
            do {
                let reply = try target.client(until: deadline).call(Methods.partDel, PartDeletion(name: part.name, ifThere: true))
                report.changes += reply.changes
            } catch {
                report.flaws.append("part \(part.name): \(error)")
            }
        }
        if report.flaws.isEmpty { seen = marks }
        return report
    }
}
