"""What people hold in their hands: ledger, exchange files, evidence sheets, report."""
