"""What the bank commands print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from clear_gen.core.text import table
from clear_gen.sounds.attributes import Attribute, given, measured
from clear_gen.sounds.bank import Bank
from clear_gen.sounds.verify import CHECKS, PAIR_CHECKS, Finding

SHOWN_FINDINGS = 200


def counts(bank: Bank, attributes: Mapping[str, Attribute]) -> str:
    """Number of sounds by the domain's first attribute and by label, lengths, thresholds, licences."""
    durations = [sound.duration_s for sound in bank.sounds]
    mean = sum(durations) / len(durations)
    lines = [
        f"{len(bank.sounds)} sounds, {bank.domain}, {bank.sample_rate} Hz, "
        f"{min(durations):.2f} to {max(durations):.2f} s (mean {mean:.2f} s)"
    ]
    first = next(iter(given(dict(attributes))))
    labels = {name: [*rule.values, None] for name, rule in measured(dict(attributes)).items()}
    rows = [[first, "sounds", *(str(value or "unknown") for values in labels.values() for value in values)]]
    for group in [*sorted({str(sound.attributes[first]) for sound in bank.sounds}), "all"]:
        sounds = [sound for sound in bank.sounds if group in ("all", str(sound.attributes[first]))]
        row = [group, str(len(sounds))]
        for name, values in labels.items():
            found = Counter(sound.attributes[name] for sound in sounds)
            row += [str(found[value]) for value in values]
        rows.append(row)
    lines += table(rows)
    for name, (low, high) in bank.thresholds.items():
        rule = measured(dict(attributes))[name]
        lines.append(f"{name}: {rule.low} below {low:.2f}, {rule.high} above {high:.2f}, unknown between")
    licences = Counter((sound.licence, sound.source) for sound in bank.sounds)
    lines += [f"{licence}: {source} ({count})" for (licence, source), count in sorted(licences.items())]
    return "\n".join(lines)


def findings(banks: Mapping[str, Bank], found: Sequence[Finding]) -> str:
    """One row per check with the number of findings, then every finding in a line."""
    sizes = ", ".join(f"{side} {len(bank.sounds)} sounds" for side, bank in banks.items())
    of_check = Counter(finding.check for finding in found)
    checks = [check for check in CHECKS if "test" in banks or check not in PAIR_CHECKS]
    rows = [["check", "findings"], ["decodes", "0"], *([check, str(of_check[check])] for check in checks)]
    lines = [sizes, *table(rows)]
    lines += [f"{item.check}: {item.side} {item.sound_id}: {item.problem}" for item in found[:SHOWN_FINDINGS]]
    if len(found) > SHOWN_FINDINGS:
        lines.append(f"and {len(found) - SHOWN_FINDINGS} more")
    return "\n".join(lines)
